/** A node's server over a scripted engine and a chain made of constants; the payments and receipts are real. */
import assert from 'node:assert/strict'
import {
  concatBytes,
  type Deployment,
  decodeReceiptHeader,
  encodeRequestAuthHeader,
  listedHeaders,
  MODE,
  type ModelManifest,
  modelIdOf,
  OPG_DOMAIN,
  priceOf,
  type Receipt,
  type RequestAuth,
  receiptDigest,
  recoverSigner,
  requestAuthDigest,
  requestHash,
  requestIdOf,
  responseHash,
  SCHEME,
  STATUS,
  signDigest,
  stripSseComments,
  tag,
  toBase64,
} from '@assay/protocol'
import type { GrantAccount } from '@assay/verify'
import { type Address, bytesToHex, type Hex } from 'viem'
import { privateKeyToAccount, privateKeyToAddress } from 'viem/accounts'
import { AUTHORISATION_TYPES } from '../../../test/faults/payments.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import type { NodeChain } from '../src/chain/nodeChain.ts'
import { createBondedKey } from '../src/enclaves/bondedKey.ts'
import { openEvidenceStore } from '../src/enclaves/evidenceStore.ts'
import { nitroSimAttester, SIMULATED_ENGINE_CLASSES } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import type { Engine, Feature, RunOptions, Work } from '../src/engines/engine.ts'
import type { SealedKey } from '../src/engines/upstream/sealedKey.ts'
import { SMOLLM2_MANIFEST, SMOLLM2_MODEL_ID } from '../src/models/smollm2.ts'
import { createQueue } from '../src/queue.ts'
import { openReceiptStore } from '../src/receiptStore.ts'
import { startServer } from '../src/server/startServer.ts'
import { createReceiptSigner } from '../src/signReceipt.ts'

export const MODEL = SMOLLM2_MANIFEST.name
export const DEPLOYMENT: Deployment = {
  chainId: 31337,
  settlement: '0x00000000000000000000000000000000000000a1',
  deploymentId: tag('test deployment'),
}
export const TOKEN: Address = '0x00000000000000000000000000000000000000a2'
export const ESCROW: Address = '0x00000000000000000000000000000000000000a3'
export const TILL: Address = '0x00000000000000000000000000000000000000a4'
export const GATEWAY_KEY: Hex = `0x${'a5'.repeat(32)}`
export const GATEWAY = privateKeyToAddress(GATEWAY_KEY).toLowerCase() as Address
export const OPERATOR_KEY: Hex = `0x${'a6'.repeat(32)}`
export const OPERATOR = privateKeyToAddress(OPERATOR_KEY).toLowerCase() as Address
export const PRICE = { perCall: 1000n, inputPrice: 10n, outputPrice: 100n }
const PAYER_KEY: Hex = `0x${'11'.repeat(32)}`
export const PAYER = privateKeyToAccount(PAYER_KEY)

/** What a script is given: the engine's own options, and a short way to say text. */
export type ScriptOptions = RunOptions & { onText: (text: string, outputUnits: number) => void }
/** What the scripted engine does with its work. */
export type Script = (
  options: ScriptOptions,
  work: Work,
) => Promise<{ finish: 'stop' | 'length' | 'aborted'; outputUnits: number }>

/** Says "one two three", a word a token. */
export const threeWords: Script = async (options) => {
  const words = ['one', ' two', ' three']
  for (const [at, word] of words.entries()) options.onText(word, at + 1)
  return { finish: 'stop', outputUnits: words.length }
}

/** One word, and then nothing until somebody has heard enough. */
export const oneWordUntilAborted: Script = (options) =>
  new Promise((resolve) => {
    options.onText('one', 1)
    options.signal.addEventListener('abort', () => resolve({ finish: 'aborted', outputUnits: 1 }))
  })

/** Every word of what was asked, as an engine would read it. */
function wordsOf(work: Work): number {
  const count = (text: string) => text.split(' ').length
  if (work.kind === 'embedding') return work.inputs.reduce((sum, text) => sum + count(text), 0)
  if (work.kind === 'completion') return work.prompts.reduce((sum, text) => sum + count(text), 0)
  if (work.kind === 'native') return 1
  if (work.kind === 'tensor') return work.values.length
  return work.messages.reduce((sum, { content }) => {
    const text =
      typeof content === 'string' ? content : content.map((part) => 'text' in part && part.text).join('')
    return sum + count(text)
  }, 0)
}

const ALL_FEATURES: ReadonlySet<Feature> = new Set<Feature>([
  'chat',
  'completions',
  'embeddings',
  'tools',
  'json',
  'logprobs',
  'choices',
  'sampling',
  'top_k',
  'seed',
  'penalties',
])

const CLOSED: GrantAccount = { funded: 0n, spent: 0n, revokedAt: 0n, opened: false }

export async function startTestServer(
  options: {
    script?: Script
    features?: Feature[]
    engine?: Engine
    /** Of the engine, where it is not the scripted one. */
    manifest?: ModelManifest
    dir?: string
    modes?: ('tee' | 'bonded')[]
    keyValid?: () => boolean
    waiting?: number
    sealedKeys?: ReadonlyMap<string, SealedKey>
    requestTimeoutMs?: number
    silenceMs?: number
  } = {},
) {
  const dir = options.dir ?? temporaryFolder('node')
  const state = {
    script: options.script ?? threeWords,
    till: TILL as Address | undefined,
    uncollectable: '',
    /** Why a payment cannot be collected is said when this is over. */
    chainAnswers: Promise.resolve() as Promise<unknown>,
    account: CLOSED,
    /** What the node read of it before, where that is something else. */
    accountBefore: undefined as GrantAccount | undefined,
  }
  const scripted: Engine = {
    contextLength: SMOLLM2_MANIFEST.contextLength,
    concurrency: 1,
    engineClass: 0,
    features: options.features === undefined ? ALL_FEATURES : new Set(options.features),
    native: new Set(),
    prepare(work) {
      const inputUnits = wordsOf(work)
      if (inputUnits > 2000) return { tooLong: true, contextLength: 2048 }
      return {
        inputUnits,
        async run(run) {
          const onText = (text: string, outputUnits: number) =>
            run.emit({ type: 'text', choice: 0, text }, outputUnits)
          const { finish, outputUnits } = await state.script({ ...run, onText }, work)
          if (finish !== 'aborted') run.emit({ type: 'finish', choice: 0, reason: finish }, outputUnits)
          return { inputUnits, outputUnits }
        },
      }
    },
    close: async () => undefined,
  }
  const chain: NodeChain = {
    anchor: () => ({ number: 7n, hash: tag('block 7'), timestamp: 1_700_000_000n }),
    price: () => ({ version: 3n, row: PRICE }),
    tillOf: async (gateway) => (gateway === GATEWAY ? state.till : undefined),
    async whyUncollectable() {
      await state.chainAnswers
      return state.uncollectable || undefined
    },
    grantAccount: async () => state.accountBefore ?? state.account,
    grantAccountNow: async () => state.account,
    close: () => undefined,
  }
  const enclave = await openEnclave({
    attester: nitroSimAttester(await simulatedRoot(dir)),
    engineClasses: SIMULATED_ENGINE_CLASSES,
  })
  const evidence = await openEvidenceStore(dir)
  const receipts = openReceiptStore(dir)
  const events: Array<{ event: string } & Record<string, unknown>> = []
  const served = {
    modelId: options.manifest === undefined ? SMOLLM2_MODEL_ID : modelIdOf(options.manifest),
    manifest: options.manifest ?? { ...SMOLLM2_MANIFEST, modes: options.modes ?? SMOLLM2_MANIFEST.modes },
    engine: options.engine ?? scripted,
    queue: createQueue({ concurrency: 1, waiting: options.waiting ?? 4 }),
  }
  const bonded = createBondedKey()
  const signInEnclave = createReceiptSigner({ signer: enclave, node: OPERATOR, deployment: DEPLOYMENT })
  const signBonded = createReceiptSigner({ signer: bonded, node: OPERATOR, deployment: DEPLOYMENT })
  const server = await startServer({
    port: 0,
    operator: OPERATOR,
    deployment: DEPLOYMENT,
    token: TOKEN,
    escrow: ESCROW,
    identity: () => enclave,
    keyOf: () => enclave.key,
    confidential: () => [{ ...enclave, sign: signInEnclave }],
    chain,
    models: new Map([[options.manifest?.name ?? MODEL, served]]),
    receipts,
    evidence,
    sign: (answer) => (answer.mode === MODE.bonded ? signBonded(answer) : signInEnclave(answer)),
    isKeyValid: options.keyValid ?? (() => true),
    log: (event, facts) => events.push({ event, ...facts }),
    sealedKeys: options.sealedKeys,
    requestTimeoutMs: options.requestTimeoutMs,
    silenceMs: options.silenceMs,
  })
  return {
    url: server.url,
    dir,
    enclave,
    bonded,
    evidence,
    receipts,
    events,
    state,
    queue: served.queue,
    async close() {
      await server.close()
      receipts.close()
    },
  }
}
export type TestServer = Awaited<ReturnType<typeof startTestServer>>

/** An x402 v2 `exact` payment of `value` base units to the till. */
export async function payment(
  value: bigint,
  nonce: Hex = bytesToHex(crypto.getRandomValues(new Uint8Array(32))),
  till: Address = TILL,
): Promise<{ header: string; requestId: Hex }> {
  const now = Math.floor(Date.now() / 1000)
  const authorization = {
    from: PAYER.address,
    to: till,
    value: value.toString(),
    validAfter: String(now - 60),
    validBefore: String(now + 600),
    nonce,
  }
  const signature = await PAYER.signTypedData({
    domain: { ...OPG_DOMAIN, chainId: DEPLOYMENT.chainId, verifyingContract: TOKEN },
    types: AUTHORISATION_TYPES,
    primaryType: 'TransferWithAuthorization',
    message: {
      from: PAYER.address,
      to: till,
      value,
      validAfter: BigInt(now - 60),
      validBefore: BigInt(now + 600),
      nonce,
    },
  })
  const json = {
    x402Version: 2,
    accepted: {
      scheme: 'exact',
      network: `eip155:${DEPLOYMENT.chainId}`,
      asset: TOKEN,
      amount: value.toString(),
      payTo: till,
      maxTimeoutSeconds: 600,
      extra: OPG_DOMAIN,
    },
    payload: { authorization, signature },
  }
  const requestId = requestIdOf({
    chainId: DEPLOYMENT.chainId,
    escrow: ESCROW,
    payer: PAYER.address.toLowerCase() as Address,
    scheme: SCHEME.exact,
    paymentNonce: nonce,
  })
  return { header: toBase64(new TextEncoder().encode(JSON.stringify(json))), requestId }
}

export const PLENTY = 10n ** 18n
export const PATH = '/v1/chat/completions'

export function chatBody(members: Record<string, unknown> = {}): string {
  return JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Count to three' }], ...members })
}

/** Headers of a paid request; others may be added or, with undefined, taken away. */
export async function paidHeaders(
  paid: { header: string },
  more: Record<string, string | undefined> = {},
): Promise<Record<string, string>> {
  const headers = {
    'content-type': 'application/json',
    'assay-committer': GATEWAY,
    'payment-signature': paid.header,
    ...more,
  }
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

export function hashOfRequest(body: string, headers: Record<string, string>, path = PATH): Hex {
  return requestHash({
    method: 'POST',
    path,
    headers: listedHeaders(headers),
    body: new TextEncoder().encode(body),
  })
}

export async function requestAuthHeader(auth: RequestAuth, privateKey: Hex = PAYER_KEY): Promise<string> {
  return encodeRequestAuthHeader({
    auth,
    signature: await signDigest(requestAuthDigest(auth, DEPLOYMENT), privateKey),
  })
}

/** What a paid answer came with, checked already: the receipt signs these very bytes. */
export type PaidAnswer = { receipt: Receipt; body: Uint8Array; status: number; requestId: Hex }

/**
 * A fetch that pays for every POST and checks the receipt of every answer, for the official clients, which know nothing
 * of either. The answers end up in `answers`.
 * @param seen told of the bytes as they arrive
 */
export function payingFetch(
  node: TestServer,
  answers: PaidAnswer[],
  seen: (bytes: Uint8Array) => void = () => undefined,
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const path = new URL(request.url).pathname
    if (request.method !== 'POST' || path.endsWith('/count_tokens')) return fetch(request)
    const paid = await payment(PLENTY)
    const body = await request.text()
    const headers = await paidHeaders(paid, Object.fromEntries(request.headers))
    const response = await fetch(request.url, { method: 'POST', headers, body, signal: request.signal })
    const check = async (bytes: Uint8Array): Promise<void> => {
      const inStream = /^: assay-receipt (\S+)$/m.exec(new TextDecoder().decode(bytes))?.[1]
      const header = response.headers.get('x-assay-receipt') ?? inStream
      // Refused before any work was done: nothing to sign.
      if (header === undefined && response.status >= 400) return
      assert.ok(header !== undefined, 'an answer carries its receipt')
      const signed = decodeReceiptHeader(header)
      const { receipt } = signed
      const contentType = response.headers.get('content-type') ?? ''
      const isStream = contentType.startsWith('text/event-stream')
      const covered = {
        status: response.status,
        contentType,
        body: isStream ? stripSseComments(bytes) : bytes,
      }
      assert.equal(receipt.responseHash, responseHash(covered))
      const target = new URL(request.url)
      assert.equal(receipt.requestHash, hashOfRequest(body, headers, target.pathname + target.search))
      const key = receipt.mode === MODE.bonded ? node.bonded.key : node.enclave.key
      assert.equal(await recoverSigner(receiptDigest(receipt, DEPLOYMENT), signed.signature), key)
      assert.equal(receipt.key, key)
      const failed = receipt.status === STATUS.failed
      const { inputUnits, outputUnits } = receipt
      assert.equal(receipt.price, priceOf(PRICE, { inputUnits, outputUnits, failed }))
      answers.push({ receipt, body: bytes, status: response.status, requestId: paid.requestId })
    }
    const parts: Uint8Array[] = []
    for await (const part of response.body ?? []) {
      parts.push(part)
      seen(part)
    }
    const bytes = concatBytes(parts)
    await check(bytes)
    return new Response(bytes, { status: response.status, headers: response.headers })
  }
}
