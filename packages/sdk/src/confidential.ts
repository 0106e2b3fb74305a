import {
  BinaryResponseReader,
  CONFIDENTIAL_HEADERS,
  CONFIDENTIAL_PATH,
  deploymentOf,
  encapsulateRequest,
  enclaveBinding,
  encodeBinaryRequest,
  evidenceFromJson,
  evidenceHashOf,
  fromBase64,
  INFERENCE_PATHS,
  type Network,
  OHTTP_REQUEST_TYPE,
  OHTTP_RESPONSE_TYPE,
  ohttpKeyHash,
  parseCanonicalJson,
  quoteMaximum,
  type ResponseOpener,
  readIntent,
} from '@assay/protocol'
import { verifyEvidence } from '@assay/verify'
import { type Address, type Hex, isAddressEqual } from 'viem'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { jsonObjectIn } from './jsonObject.ts'
import { readBounded } from './limits.ts'
import { readingChain } from './readingChain.ts'
import { QUOTE_PATIENCE_MS, within } from './send.ts'

/** Seconds between evidence and admission of a key, as the verifier allows them. */
const ADMISSION_SECONDS = 86_400n
const MAX_DOCUMENT_BYTES = 262_144

/** An enclave that was checked against the chain, and what to encrypt to. */
export type Channel = { model: string; key: Address; config: Uint8Array }

/**
 * Finds an enclave for the model and makes sure, before a byte is encrypted, that the chain admitted its signing key,
 * that the attestation behind that key names this encryption key, and that the attestation holds. The gateway only
 * carries the documents; nothing it says is believed.
 * @throws SdkError `unreachable` | `not_confidential`
 */
export async function openChannel(
  network: Network,
  chain: ChainReader,
  model: string,
  signal: AbortSignal,
): Promise<Channel> {
  const offer = await getJson(network, `${CONFIDENTIAL_PATH}?model=${encodeURIComponent(model)}`, signal)
  const { key, ohttpKey } = offer as { key?: unknown; ohttpKey?: unknown }
  if (typeof key !== 'string' || !/^0x[0-9a-f]{40}$/.test(key) || typeof ohttpKey !== 'string') {
    throw untrusted('the gateway names no key')
  }
  const registered = await readingChain(chain.enclaveKey(key as Address))
  if (registered === undefined || !registered.valid) throw untrusted('the chain does not admit its key', key)
  const known = network.nodes.some(({ operator }) => isAddressEqual(operator, registered.node))
  if (!known) throw untrusted('its operator is not of this network', key)
  const bytes = await getBytes(network, `/v1/evidence/${registered.evidenceHash}`, signal)
  const { config, evidence } = readDocuments(ohttpKey, bytes, key)
  if (evidenceHashOf(evidence) !== registered.evidenceHash)
    throw untrusted('its evidence is not the registered one', key)
  if (evidence.hpkeKeyHash !== ohttpKeyHash(config)) throw untrusted('its evidence names another key', key)
  const verdict = verifyEvidence(evidence, {
    ...registered,
    rules: await readingChain(chain.enclaveRules(registered, evidence)),
    userData: enclaveBinding(deploymentOf(network), {
      ...evidence,
      node: registered.node,
      key: key as Address,
    }),
    now: registered.validFrom,
    earlier: ADMISSION_SECONDS,
  })
  if (verdict?.ok !== true) throw untrusted(verdict?.reason ?? 'nothing here verifies its kind', key)
  return { model, key: key as Address, config }
}

function readDocuments(ohttpKey: string, evidence: Uint8Array, key: string) {
  try {
    return {
      config: fromBase64(ohttpKey),
      evidence: evidenceFromJson(parseCanonicalJson(evidence, MAX_DOCUMENT_BYTES)),
    }
  } catch {
    throw untrusted('its documents cannot be read', key)
  }
}

/** Most that the request may cost by the gateway's price list, OPG base units; the receipt is checked by the chain's. */
export async function quoteConfidential(
  network: Network,
  path: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<{ model: string; maximum: bigint }> {
  const route = Object.hasOwn(INFERENCE_PATHS, path) ? INFERENCE_PATHS[path] : undefined
  if (route === undefined) {
    throw new SdkError('This path cannot be asked confidentially.', {
      code: 'not_confidential',
      facts: { path, possible: Object.keys(INFERENCE_PATHS).join(', ') },
    })
  }
  const lengthOf = (name: string) => network.models.find((entry) => entry.name === name)?.contextLength
  const read = readIntent(route, body, lengthOf)
  if ('problem' in read) {
    throw new SdkError(read.problem.message, {
      code: read.problem.code === 'model_not_found' ? 'unknown_model' : 'unsupported_body',
      facts: { known: network.models.map((entry) => entry.name).join(', ') },
    })
  }
  const { model, maxOutput } = read.intent
  const listed = await getJson(network, `/v1/models/${encodeURIComponent(model)}`, signal)
  const { price } = (listed as { assay?: { price?: Record<string, unknown> } }).assay ?? {}
  const amount = (name: string): bigint => {
    const value = price?.[name]
    if (typeof value === 'string' && /^[0-9]{1,39}$/.test(value)) return BigInt(value)
    throw new SdkError('The gateway lists no price for this model.', {
      code: 'offer_rejected',
      facts: { model },
    })
  }
  const row = { perCall: amount('perCall'), inputPrice: amount('input'), outputPrice: amount('output') }
  return { model, maximum: quoteMaximum(row, body.length, maxOutput) }
}

/** Headers that the gateway sees of a confidential request, payment apart. */
export function outerHeaders({ model, key }: Channel, maxPrice: bigint): Record<string, string> {
  return {
    [CONFIDENTIAL_HEADERS.model]: model,
    [CONFIDENTIAL_HEADERS.maxPrice]: maxPrice.toString(),
    [CONFIDENTIAL_HEADERS.key]: key,
  }
}

/** Encrypts the request; `open` reads its answer. */
export async function sealRequest(
  { config }: Channel,
  request: { path: string; headers: Headers; body: Uint8Array },
): Promise<{
  body: Uint8Array<ArrayBuffer>
  contentType: string
  open: (answer: Response) => Promise<Response>
}> {
  const plain = encodeBinaryRequest({
    method: 'POST',
    scheme: 'https',
    // Not a name that anybody resolves: the key says who reads this.
    authority: 'enclave',
    path: request.path,
    headers: [...request.headers.entries()],
    body: request.body,
  })
  const { body, opener } = await encapsulateRequest(config, plain, 'chunked')
  return {
    body: Uint8Array.from(body),
    contentType: OHTTP_REQUEST_TYPE.chunked,
    open: (answer) => openAnswer(answer, opener),
  }
}

/** The answer inside, as an ordinary response whose body streams as its chunks arrive. */
async function openAnswer(answer: Response, opener: ResponseOpener): Promise<Response> {
  const type = (answer.headers.get('content-type') ?? '').toLowerCase()
  if (type !== OHTTP_RESPONSE_TYPE.chunked || answer.body === null) {
    // An error of the gateway's own; an answer in clear is no answer to what was encrypted.
    if (answer.status >= 400) return answer
    void answer.body?.cancel()
    throw new SdkError('The answer to an encrypted request came in clear; it is withheld.', {
      code: 'verification_failed',
      facts: { status: answer.status, contentType: type },
    })
  }
  const reader = new BinaryResponseReader()
  const source = plaintextOf(answer.body, opener, reader)
  const first = await source.next()
  const { head } = reader
  if (head === undefined) throw new Error('unreachable: the source yields nothing before the head')
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.done !== true && first.value.length > 0) controller.enqueue(first.value)
    },
    async pull(controller) {
      const next = first.done === true ? first : await source.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    async cancel() {
      await source.return()
    },
  })
  return new Response(body, {
    status: head.status,
    headers: head.headers.map(([name, value]) => [name, value]),
  })
}

/** Content as it can be read. The first value comes with the head, and may be empty. @throws SdkError */
async function* plaintextOf(
  sealed: ReadableStream<Uint8Array>,
  opener: ResponseOpener,
  reader: BinaryResponseReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  let started = false
  function* content(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
    if (reader.head !== undefined && !started) {
      started = true
      yield new Uint8Array(0)
    }
    for (const part of parts) if (part.length > 0) yield part
  }
  try {
    for await (const bytes of sealed) {
      for (const plain of await opener.push(bytes)) yield* content(reader.push(plain))
    }
    yield* content(reader.push(await opener.end()))
    yield* content([reader.end()])
  } catch (cause) {
    throw new SdkError('The encrypted answer was cut off or changed on its way; it is withheld.', {
      code: 'verification_failed',
      next: 'Ask again; the receipt says what was charged, if anything.',
      cause,
    })
  }
}

async function getBytes(network: Network, path: string, caller: AbortSignal): Promise<Uint8Array> {
  const url = new URL(path, network.gatewayUrl).href
  const { answer, bytes } = await within(QUOTE_PATIENCE_MS, caller, async (signal) => {
    const answer = await fetch(url, { redirect: 'error', signal })
    if (answer.ok) return { answer, bytes: await readBounded(answer, 'gateway_error', MAX_DOCUMENT_BYTES) }
    void answer.body?.cancel()
    return { answer, bytes: undefined }
  }).catch((cause: unknown) => {
    if (caller.aborted || cause instanceof SdkError) throw cause
    throw new SdkError('The gateway does not answer.', {
      code: 'unreachable',
      facts: { url },
      next: 'Start the network with: npm start',
      cause,
    })
  })
  if (bytes !== undefined) return bytes
  throw new SdkError('The gateway offers no enclave to encrypt to.', {
    code: 'not_confidential',
    facts: { url, status: answer.status },
    next: 'Ask again when a node with an admitted key is up: assay status',
  })
}

async function getJson(network: Network, path: string, caller: AbortSignal): Promise<object> {
  const value = jsonObjectIn(await getBytes(network, path, caller))
  if (value === undefined) throw untrusted('the gateway answers with something else')
  return value
}

function untrusted(reason: string, key?: Hex | string): SdkError {
  return new SdkError('No enclave can be trusted with this request, so nothing was sent.', {
    code: 'not_confidential',
    facts: { reason, ...(key === undefined ? {} : { key }) },
    next: 'Do not send it in clear unless the gateway and its node may read it.',
  })
}
