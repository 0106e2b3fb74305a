import { ANTHROPIC_VERSIONS, INFERENCE_PATHS } from '@assay/protocol'
import { type DiscoveryExtension, declareDiscoveryExtension } from '@x402/extensions/bazaar'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import { quote } from '../relay/quote.ts'
import { pathsOffered } from '../routing/survey.ts'
import { termsOf } from './admit.ts'
import { paymentRequirements } from './offer.ts'

const MAX_PAGE = 100
const MAX_QUERY = 200

/** What a kind of call is, and the least that makes one. */
type Call = {
  says: string
  headers?: Record<string, string>
  example: (model: string) => Record<string, unknown>
}

const CALLS: Record<string, Call> = {
  chat: {
    says: 'OpenAI chat completions',
    example: (model) => ({ model, max_tokens: 64, messages: [{ role: 'user', content: 'Hello' }] }),
  },
  messages: {
    says: 'Anthropic messages',
    headers: { 'anthropic-version': ANTHROPIC_VERSIONS[0] },
    example: (model) => ({ model, max_tokens: 64, messages: [{ role: 'user', content: 'Hello' }] }),
  },
  responses: {
    says: 'OpenAI responses',
    example: (model) => ({ model, max_output_tokens: 64, input: 'Hello' }),
  },
  completions: {
    says: 'OpenAI text completions',
    example: (model) => ({ model, max_tokens: 64, prompt: 'Hello' }),
  },
  embeddings: { says: 'OpenAI embeddings', example: (model) => ({ model, input: 'Hello' }) },
  infer: { says: 'Numbers through a proven circuit', example: (model) => ({ model, input: [0] }) },
}

type Filter = { type?: string; payTo?: string; scheme?: string; network?: string; limit?: string }

/** @throws RefusedError 400 for what stands there twice, and hence asks for two things */
function asked<Query extends Filter>(query: Query): Query {
  const repeated = Object.entries(query).find(([, value]) => typeof value !== 'string')
  if (repeated === undefined) return query
  const message = `\`${repeated[0].slice(0, 64)}\` may stand once in the query.`
  throw new RefusedError({ status: 400, type: 'invalid_request_error', code: 'invalid_query', message })
}

/** Adds what stock declarations have no words for: the method, and the headers without which a call is refused. */
function withHead(
  { info, schema }: DiscoveryExtension,
  headers: Record<string, string> = {},
): Record<string, unknown> {
  const { properties } = schema
  const strings = { type: 'object', additionalProperties: { type: 'string' } }
  return {
    info: { ...info, input: { ...info.input, method: 'POST', headers } },
    schema: {
      ...schema,
      properties: {
        ...properties,
        input: { ...properties.input, properties: { ...properties.input.properties, headers: strings } },
      },
    },
  }
}

/**
 * The catalogue of what is sold here, as the clients of the x402 bazaar extension list and search it
 * (`withBazaar(new HTTPFacilitatorClient({ url: '…/facilitator' }))`).
 */
export function bazaarRoutes(server: FastifyInstance, context: Context): void {
  const { network, models } = context
  const startedAt = new Date().toISOString()

  async function catalogue() {
    const items = Object.entries(INFERENCE_PATHS).map(async ([path, dialect]) => {
      const call = CALLS[dialect]
      const names = [...models.values()]
        .filter((model) => pathsOffered(context, model)?.includes(path) ?? true)
        .map(({ name }) => name)
      const [first] = names
      if (call === undefined || first === undefined) return []
      const input = call.example(first)
      const { maximum } = await quote(context, dialect, Buffer.from(JSON.stringify(input)))
      const { bazaar } = declareDiscoveryExtension({
        bodyType: 'json',
        input,
        inputSchema: { type: 'object', required: ['model'], properties: { model: { enum: names } } },
      })
      if (bazaar === undefined) return []
      return [
        {
          resource: `${network.gatewayUrl}${path}`,
          type: 'http',
          x402Version: 2,
          // Of the example; an unpaid request, or POST /v1/quotes, says the amount of its own.
          accepts: paymentRequirements(termsOf(context), maximum),
          lastUpdated: startedAt,
          description: `${call.says}, verifiable inference. Models: ${names.join(', ')}.`,
          mimeType: 'application/json',
          serviceName: 'Assay',
          tags: ['inference', 'llm', 'verifiable'],
          extensions: {
            bazaar: withHead(bazaar, call.headers),
          },
        },
      ]
    })
    return (await Promise.all(items)).flat()
  }

  async function found({ type, payTo, scheme, network: on }: Filter) {
    const offers =
      (is: (offer: { scheme: string; network: string; payTo: string }) => boolean) =>
      (item: { accepts: { scheme: string; network: string; payTo: string }[] }) =>
        item.accepts.some(is)
    return (await catalogue()).filter(
      (item) =>
        (type === undefined || item.type === type) &&
        offers(
          (offer) =>
            (scheme === undefined || offer.scheme === scheme) &&
            (on === undefined || offer.network === on) &&
            (payTo === undefined || offer.payTo.toLowerCase() === payTo.toLowerCase()),
        )(item),
    )
  }

  server.get(
    '/facilitator/discovery/resources',
    async ({ query: given }: FastifyRequest<{ Querystring: Filter & { offset?: string } }>) => {
      const query = asked(given)
      const all = await found(query)
      const limit = countOf(query.limit, MAX_PAGE)
      const offset = countOf(query.offset, 0)
      const pagination = { limit, offset, total: all.length }
      return { x402Version: 2, items: all.slice(offset, offset + limit), pagination }
    },
  )

  server.get(
    '/facilitator/discovery/search',
    async ({ query: given }: FastifyRequest<{ Querystring: Filter & { query?: string } }>) => {
      const query = asked(given)
      const words = (query.query ?? '').slice(0, MAX_QUERY).toLowerCase().split(/\s+/).filter(Boolean)
      const matching = (await found(query)).filter(({ resource, description, tags }) => {
        const text = `${resource} ${description} ${tags.join(' ')}`.toLowerCase()
        return words.every((word) => text.includes(word))
      })
      const limit = countOf(query.limit, MAX_PAGE)
      return { x402Version: 2, resources: matching.slice(0, limit), partialResults: matching.length > limit }
    },
  )
}

function countOf(text: string | undefined, otherwise: number): number {
  const count = Number(text)
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Math.min(count, otherwise || count) : otherwise
}
