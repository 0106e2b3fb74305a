import {
  type Deployment,
  type DialectError,
  decodeRequestAuthHeader,
  GRANT_HEADER,
  type HttpRequestBytes,
  type InferenceRoute,
  listedHeaders,
  quoteMaximum,
  REQUEST_AUTH_HEADER,
  readOpg,
  recoverSigner,
  requestAuthDigest,
  requestHash,
  TEMPLATE_UNITS,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { CurrentPrice, NodeChain } from '../chain/nodeChain.ts'
import type { Dialect, ModelFacts, Reading } from '../dialects/dialect.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { Engine, Prepared } from '../engines/engine.ts'
import { CHAIN_AWAY, PAID_TWICE, type Paid, paidByGrant, paidByX402, unpaid } from './paidBy.ts'
import type { PayerCredit } from './payerCredit.ts'
import { headerOf, type RawRequest } from './rawRequest.ts'
import type { ServedModel } from './servedModel.ts'

export const COMMITTER_HEADER = 'assay-committer'
const PAYMENT_HEADER = 'payment-signature'

/** A paid request that may run. */
export type Admission = {
  dialect: Dialect
  /** Request target as sent. */
  path: string
  reading: Reading
  served: ServedModel
  prepared: Prepared
  payment: Paid
  committer: Address
  price: CurrentPrice
  request: HttpRequestBytes
  requestHash: Hex
  /** Most that the call may cost, OPG base units. */
  quote: bigint
  /** Most input units that the quote covers. */
  maxInputUnits: number
  /** OPG base units. */
  valueAtRisk: bigint
}

export type AdmitParameters = {
  deployment: Deployment
  /** OPG. */
  token: Address
  escrow: Address
  chain: NodeChain
  credit: PayerCredit
  operator: Address
  models: ReadonlyMap<string, ServedModel>
}

/**
 * Everything that has to hold before a node spends work on a request: it can be read, this node can do what it asks,
 * and it is paid, or its payer has paid for as much before. The node trusts no gateway with any of this.
 */
export async function admit(
  raw: RawRequest,
  dialect: Dialect,
  parameters: AdmitParameters,
): Promise<{ admission: Admission } | { error: DialectError }> {
  const { deployment, token, escrow, chain, credit, operator, models } = parameters
  const header = (name: string): string | undefined => headerOf(raw, name)

  const reading = dialect.read(raw.body, anthropicHeaders(raw), (name) => factsOf(models.get(name)))
  if ('error' in reading) return reading
  const { intent } = reading
  const served = models.get(intent.model) as ServedModel

  const unsettled = settlementProblem(header('x-assay-settlement'), served.engine)
  if (unsettled !== undefined) return fail(unsettled, 'unsupported_settlement')
  const mode = header('x-assay-verification') ?? 'auto'
  const modes = served.manifest.modes.filter((name) => name === modeOf(served.engine))
  if (mode !== 'auto' && !modes.some((name) => name === mode)) {
    return fail(
      `The model ${intent.model} cannot be verified as asked; it can be: auto, ${modes.join(', ')}.`,
      'unsupported_mode',
    )
  }
  const valueText = header('x-assay-value-at-risk')
  const valueAtRisk = valueText === undefined ? 0n : readOpg(valueText)
  if (valueAtRisk === undefined) {
    return fail('`x-assay-value-at-risk` must be an amount of OPG such as 1.5.', 'invalid_value_at_risk')
  }

  const price = chain.price(served.modelId)
  if (price === undefined || chain.anchor() === undefined) {
    return { error: unavailable('The node has not read the price of this model yet.', 'not_ready') }
  }
  if (served.engine.isReady?.() === false) return { error: AWAITS_KEY }
  const quote = quoteMaximum(price.row, raw.body.length, intent.maxOutput)

  const committer = header(COMMITTER_HEADER)
  if (committer === undefined || !/^0x[0-9a-fA-F]{40}$/.test(committer)) {
    return fail(
      `The header \`${COMMITTER_HEADER}\` must name the gateway that is to batch the receipt.`,
      'missing_committer',
    )
  }
  const payHeader = header(PAYMENT_HEADER)
  const grantHeader = header(GRANT_HEADER)
  if (payHeader === undefined && grantHeader === undefined) {
    return {
      error: unpaid('This request is not paid. Ask a gateway, which quotes the price.', 'payment_required'),
    }
  }
  if (payHeader !== undefined && grantHeader !== undefined) return { error: PAID_TWICE }
  const gateway = committer.toLowerCase() as Address
  const request = {
    method: raw.method,
    path: raw.path,
    headers: listedHeaders(raw.headers),
    body: raw.body,
  }
  const hash = requestHash(request)
  let payment: Paid
  try {
    const till = await chain.tillOf(gateway)
    if (till === undefined) return fail(`${gateway} has no till, so it cannot be paid.`, 'unknown_committer')
    const { modelId } = served
    const parts = { deployment, token, escrow, chain, credit, operator, committer: gateway, modelId, quote }
    const paid =
      payHeader === undefined
        ? await paidByGrant(grantHeader as string, { ...parts, requestHash: hash })
        : await paidByX402(payHeader, till, { ...parts, requestHash: hash })
    if ('error' in paid) return paid
    payment = paid
  } catch {
    return { error: CHAIN_AWAY }
  }

  const authHeader = header(REQUEST_AUTH_HEADER)
  if (authHeader !== undefined) {
    const wrong = await whyAuthFails(authHeader, {
      deployment,
      payment,
      requestHash: hash,
      modelId: served.modelId,
      committer: gateway,
      quote,
    })
    if (wrong !== undefined) return fail(`\`${REQUEST_AUTH_HEADER}\`: ${wrong}.`, 'invalid_request_auth')
  }

  const prepared = prepare(reading, dialect.route, served)
  if ('error' in prepared) return prepared
  const maxInputUnits = raw.body.length + TEMPLATE_UNITS
  return {
    admission: {
      dialect,
      path: raw.path,
      reading,
      served,
      prepared,
      payment,
      committer: gateway,
      price,
      request,
      requestHash: hash,
      quote,
      maxInputUnits,
      valueAtRisk,
    },
  }
}

/** What this engine's receipts are: proved, signed by the enclave's key, or by one that only the bond stands behind. */
export function modeOf(engine: Engine): 'zk' | 'tee' | 'bonded' {
  if (engine.prover !== undefined) return 'zk'
  return engine.engineClass === 2 ? 'bonded' : 'tee'
}

/** A proof is about the contents, so who asks for one must say that the contents may stand in the batch file. */
function settlementProblem(asked: string | undefined, { prover }: Engine): string | undefined {
  const needed = prover === undefined ? 'batch' : 'full'
  if (asked === needed || (asked === undefined && needed === 'batch')) return undefined
  return needed === 'batch'
    ? '`x-assay-settlement` can be: batch.'
    : 'Answers of this model are proved, so request and answer will stand in a public file; agree with the header `x-assay-settlement: full`.'
}

/** Whether the engine can do it, and how much it is. */
export function prepare(
  reading: Reading,
  route: InferenceRoute,
  { engine }: ServedModel,
): Prepared | { error: DialectError } {
  const prepared = engine.prepare(reading.work)
  if ('unsupported' in prepared) {
    const { message, param } = prepared.unsupported
    return { error: badRequest(message, param, 'unsupported_value') }
  }
  if (!('tooLong' in prepared)) return prepared
  const message = `The request does not fit into the context of ${prepared.contextLength} tokens with room for an answer.`
  return { error: badRequest(message, LONG_MEMBERS[route], 'context_length_exceeded') }
}

/** The member that makes a request long. */
const LONG_MEMBERS: Record<InferenceRoute, string> = {
  chat: 'messages',
  completions: 'prompt',
  embeddings: 'input',
  infer: 'input',
  responses: 'input',
  messages: 'messages',
  count_tokens: 'messages',
}

export function factsOf(served: ServedModel | undefined): ModelFacts | undefined {
  if (served === undefined) return undefined
  const { engine, manifest } = served
  const { features, native, betas, ignores } = engine
  return { contextLength: manifest.contextLength, features, native, betas, ignores }
}

/** `anthropic-*` headers: part of what Anthropic's dialect asks. */
export function anthropicHeaders(raw: RawRequest): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of listedHeaders(raw.headers)) {
    const colon = line.indexOf(':')
    if (line.startsWith('anthropic-')) found[line.slice(0, colon)] = line.slice(colon + 1)
  }
  return found
}

/** Why the payer's own signature does not cover this request; undefined when it does (docs/spec.md §4). */
async function whyAuthFails(
  text: string,
  expected: {
    deployment: Deployment
    payment: Paid
    requestHash: Hex
    modelId: Hex
    committer: Address
    quote: bigint
  },
): Promise<string | undefined> {
  let signer: Address
  let auth: ReturnType<typeof decodeRequestAuthHeader>['auth']
  try {
    const signed = decodeRequestAuthHeader(text.slice(0, 4096))
    auth = signed.auth
    signer = await recoverSigner(requestAuthDigest(auth, expected.deployment), signed.signature)
  } catch {
    return 'it cannot be read, or its signature is not canonical'
  }
  if (signer !== expected.payment.payer) return 'it is not signed by the payer'
  if (auth.requestId !== expected.payment.requestId) return 'it names another request id'
  if (auth.requestHash !== expected.requestHash) return 'it names another request hash'
  if (auth.modelId !== expected.modelId) return 'it names another model'
  if (auth.committer !== expected.committer) return 'it names another committer'
  if (auth.maxPrice < expected.quote) {
    return `its maxPrice ${auth.maxPrice} is below the ${expected.quote} that the request may cost`
  }
  if (auth.deadline < BigInt(Math.floor(Date.now() / 1000))) return 'its deadline has passed'
  return undefined
}

function fail(message: string, code: string): { error: DialectError } {
  return { error: badRequest(message, null, code) }
}

/** Of a model whose provider's key is still to come from the operator. */
export const AWAITS_KEY: DialectError = unavailable(
  'The node was not given the key of this model’s provider yet.',
  'not_ready',
)

export function unavailable(message: string, code: string): DialectError {
  return { status: 503, message, type: 'server_error', code, param: null }
}
