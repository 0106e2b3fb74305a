const json = (description: string) => ({
  description,
  content: { 'application/json': { schema: { type: 'object' } } },
})
const error = (description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
})
const id = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', pattern: '^0x[0-9a-f]{64}$' },
}

const paid = (summary: string) => ({
  post: {
    summary,
    parameters: [{ name: 'PAYMENT-SIGNATURE', in: 'header', schema: { type: 'string' } }],
    security: [{ bearer: [] }, { apiKey: [] }, {}],
    requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
    responses: {
      200: json(
        'The answer; its receipt is in x-assay-receipt, or in the comment before the terminal event.',
      ),
      400: error('The body is not a request that can be priced or answered.'),
      401: error('The API key is unknown or was revoked.'),
      402: error(
        'Unpaid, or the payment was refused; offers are in PAYMENT-REQUIRED. Or the grant is spent.',
      ),
      403: error('The grant does not name this model.'),
      404: error('No such model.'),
      409: error('This payment has been used.'),
      413: error('The body is too large.'),
      415: error('The body is encoded.'),
      429: error('Busy; see Retry-After.'),
      502: error('The node did not finish; nothing is charged.'),
      503: error('No node serves this model now.'),
    },
  },
})

/** OpenAPI 3.1 description of the gateway's own interface; bodies and errors are those of the dialect. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Assay gateway',
    version: '1.0.0',
    description:
      'Every answer, errors included, has an id in x-request-id and request-id: the request id of a paid call (x-assay-request-id), else one of this gateway’s own.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  paths: {
    '/v1/chat/completions': paid('OpenAI chat completion, whole or streamed, paid per answer by x402 v2.'),
    '/v1/completions': paid('OpenAI text completion, whole or streamed.'),
    '/v1/embeddings': paid('OpenAI embeddings.'),
    '/v1/infer': paid('Numbers through a circuit; the answer at once, its proof behind it.'),
    '/v1/responses': paid('OpenAI response, whole or streamed; stateless: nothing is stored.'),
    '/v1/messages': paid('Anthropic message, whole or streamed.'),
    '/v1/messages/count_tokens': {
      post: {
        summary: 'Input tokens of an Anthropic message; free.',
        requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
        responses: { 200: json('{"input_tokens": …}'), 400: error('The body cannot be counted.') },
      },
    },
    '/v1/confidential': {
      get: {
        summary: 'The key of an enclave to which a request may be encrypted.',
        parameters: [{ name: 'model', in: 'query', required: true, schema: { type: 'string' } }],
        responses: {
          200: json('Key and where its evidence is.'),
          404: error('No such model.'),
          503: error('No enclave serves this model now.'),
        },
      },
      post: {
        summary: 'A request encrypted to that key by oblivious HTTP, paid per answer.',
        requestBody: { required: true, content: { 'message/ohttp-chunked-req': {} } },
        responses: {
          200: { description: 'The encrypted answer.', content: { 'message/ohttp-chunked-res': {} } },
          400: error('What stands outside the encryption does not fit.'),
          402: error('Unpaid, or the payment was refused; offers are in PAYMENT-REQUIRED.'),
          503: error('No enclave serves this with that key now.'),
        },
      },
    },
    '/v1/evidence/{hash}': {
      get: {
        summary: 'The attestation evidence of a registered key, by its hash.',
        parameters: [{ ...id, name: 'hash' }],
        responses: { 200: json('The evidence.'), 404: error('No node here has it.') },
      },
    },
    '/v1/proofs/{id}': {
      get: {
        summary: 'The proof of an answer of mode zk, with what it is about.',
        parameters: [id],
        responses: { 200: json('Bodies, card and proof.'), 404: error('Unknown here, or not proven yet.') },
      },
    },
    '/v1/models': {
      get: {
        summary: 'Models, their prices and where they answer; all, or a page as Anthropic has them.',
        parameters: ['limit', 'after_id', 'before_id'].map((name) => {
          return { name, in: 'query', schema: { type: name === 'limit' ? 'integer' : 'string' } }
        }),
        responses: { 200: json('An OpenAI model list.'), 400: error('No such page.') },
      },
    },
    '/v1/models/{id}': {
      get: {
        summary: 'One model.',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 200: json('An OpenAI model.'), 404: error('No such model.') },
      },
    },
    '/v1/quotes': {
      post: {
        summary: 'The most that a call with this body would cost, and who would answer it; free.',
        parameters: [{ name: 'path', in: 'query', schema: { type: 'string' } }],
        requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
        responses: {
          200: json('Amounts in OPG base units.'),
          400: error('Not a call that can be priced, or that anybody could answer.'),
          404: error('No such model.'),
          503: error('Nobody answers for it now.'),
        },
      },
    },
    '/facilitator/supported': {
      get: { summary: 'Payments that are taken, for x402 clients.', responses: { 200: json('Kinds.') } },
    },
    '/facilitator/verify': {
      post: {
        summary: 'Whether a payment to this gateway would be taken.',
        requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
        responses: { 200: json('isValid, and why not.') },
      },
    },
    '/facilitator/discovery/resources': {
      get: {
        summary: 'What is sold here, for clients of the x402 bazaar.',
        responses: { 200: json('A page.') },
      },
    },
    '/facilitator/discovery/search': {
      get: {
        summary: 'The same, searched by words.',
        parameters: [{ name: 'query', in: 'query', schema: { type: 'string' } }],
        responses: { 200: json('What has all of them.') },
      },
    },
    '/v1/nodes': {
      get: {
        summary:
          'Nodes that this gateway routes to: health, load, latency, modes, what their bonds have left.',
        responses: { 200: json('A list.') },
      },
    },
    '/v1/receipts/{id}': {
      get: {
        summary: 'A request: its receipt, batch, inclusion proof, transaction and payment.',
        parameters: [id],
        responses: { 200: json('Where it stands.'), 404: error('Unknown here.') },
      },
    },
    '/v1/requests/{id}/stop': {
      post: {
        summary: 'Ends a stream that is being answered where it is; it then ends with its receipt.',
        parameters: [id],
        responses: { 202: { description: 'The node was told.' }, 404: error('No such request runs here.') },
      },
    },
    '/v1/grants': {
      post: {
        summary:
          'Registers the hash of an API key under a spending grant, or revokes it, as its payer signed.',
        requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
        responses: {
          200: json('The key is revoked.'),
          201: json('The key is good; what its payer trusts.'),
          400: error('Not a grant for this gateway.'),
          403: error('Not signed by the payer.'),
          409: error('The grant is not open on the chain.'),
        },
      },
    },
    '/v1/grants/{id}': {
      get: {
        summary: 'A spending grant: its terms, what was spent, is set aside and left.',
        parameters: [id],
        responses: { 200: json('Amounts in OPG base units.'), 404: error('Unknown here.') },
      },
    },
    '/v1/grants/{id}/calls': {
      get: {
        summary: 'Every debit under a grant, newest first.',
        parameters: [
          id,
          { name: 'before', in: 'query', schema: { type: 'string', pattern: '^[0-9]{1,18}$' } },
        ],
        responses: { 200: json('At most 200 calls.'), 404: error('Unknown here.') },
      },
    },
    '/v1/batches/{id}': {
      get: {
        summary: 'A batch.',
        parameters: [id],
        responses: { 200: json('Header and state.'), 404: error('Unknown here.') },
      },
    },
    '/v1/batches/{id}/data': {
      get: {
        summary: 'The batch file.',
        parameters: [id],
        responses: { 200: json('The bytes under dataHash.'), 404: error('Unknown here.') },
      },
    },
    '/.well-known/x402': {
      get: { summary: 'Terms of payment.', responses: { 200: json('x402 v2 terms.') } },
    },
    '/health': {
      get: {
        summary: 'Readiness.',
        responses: { 200: json('A call can be served.'), 503: json('No healthy node yet.') },
      },
    },
    '/metrics': {
      get: { summary: 'Prometheus metrics.', responses: { 200: { description: 'Text format 0.0.4.' } } },
    },
  },
  components: {
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'A key under a spending grant: assay_…' },
      apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
    },
    schemas: {
      Error: {
        type: 'object',
        required: ['error'],
        properties: {
          error: {
            type: 'object',
            required: ['message', 'type', 'code', 'param'],
            properties: {
              message: { type: 'string' },
              type: { type: 'string' },
              code: { type: 'string' },
              param: { type: ['string', 'null'] },
            },
          },
        },
      },
    },
  },
} as const
