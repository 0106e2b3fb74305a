/** An inference node reduced to its wire: real receipts over the real bytes, scripted answers instead of a model. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Contracts,
  concatBytes,
  type Deployment,
  ENGINE_CLASS,
  encodeReceiptHeader,
  GRANT_HEADER,
  keyPossessionDigest,
  listedHeaders,
  MODE,
  type ModeName,
  type NetworkModel,
  RECEIPT_COMMENT,
  type Receipt,
  readOpg,
  receiptDigest,
  requestHash,
  responseHash,
  type SignedReceipt,
  STATUS,
  signDigest,
  signedReceiptToJson,
  stripSseComments,
} from '@assay/protocol'
import { checkGrantPass, checkPayment } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { COMMITTER, CONTRACTS, DEPLOYMENT, MODEL, TILL } from './fixtures.ts'

/** The network that the node believes it is part of. */
export type World = {
  contracts: Contracts
  deployment: Deployment
  till: Address
  committer: Address
  model: NetworkModel
  operator: Address
}

export const NODE_OPERATOR: Address = `0x${'0d'.repeat(20)}`
const KEY: Hex = `0x${'77'.repeat(32)}`
/** What the node signs by: a bonded key, for no enclave is behind it. */
export const STUB_KEY = privateKeyToAddress(KEY).toLowerCase() as Address

/** The key's own word that it is this operator's, as the registry wants it. */
export function stubPossession(node: Address, deployment: Deployment): Promise<Hex> {
  return signDigest(keyPossessionDigest({ node, key: STUB_KEY }, deployment), KEY)
}

export type Script = {
  kind: 'whole' | 'stream'
  status?: number
  contentType?: string
  /** Whole: the body. */
  body?: Uint8Array
  /** Stream: everything before the receipt's comment, in the pieces that are written. */
  chunks?: Uint8Array[]
  terminal?: Uint8Array
  price?: bigint
  /** Private key to sign by, instead of the bonded one. */
  privateKey?: Hex
  /** Changes the receipt before it is signed. */
  alter?: (receipt: Receipt) => Receipt
  /** Changes the signed receipt. */
  spoil?: (signed: SignedReceipt) => SignedReceipt
  withoutReceipt?: boolean
  /** Time before the answer's head, milliseconds: a slow model. */
  delayMs?: number
  /** Awaited before the answer's head: a model that is at work until the test says otherwise. */
  work?: Promise<void>
  /** Breaks the connection before the head of an answer. */
  dieBeforeHead?: boolean
  /** Breaks the connection instead of writing the receipt. */
  dieBeforeReceipt?: boolean
  /** Awaited after the first chunk. */
  pause?: Promise<void>
  /** Signs for a cancelled answer only once somebody has asked for its receipt in vain. */
  signsLate?: boolean
  /** Cut the wire bytes of the whole stream, receipt comment and all, at these offsets. */
  cuts?: number[]
}

export type StubNode = {
  url: string
  requests: { method: string; url: string; rawHeaders: string[]; body: Uint8Array }[]
  receipts: Map<string, SignedReceipt>
  script: Script
  world: World
  /** What its health says of the model beside its name: modes, key, engine class. */
  offer: Record<string, unknown>
  /** While true its health check fails. */
  ill: boolean
  /** While true its health check is not answered at all. */
  mute: boolean
  /** Health checks that it was asked for. */
  looks: number
  close(): Promise<void>
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of request) parts.push(part as Uint8Array)
  return concatBytes(parts)
}

/** @param operator whose node it is; @param port 0 = a free one */
export async function startStubNode(operator: Address = NODE_OPERATOR, port = 0): Promise<StubNode> {
  let seq = 0n
  /** By request id, what signs for an answer that was cancelled. */
  const unsigned = new Map<string, () => void>()
  const node: StubNode = {
    url: '',
    requests: [],
    receipts: new Map(),
    script: { kind: 'whole', body: new Uint8Array(0) },
    offer: {},
    ill: false,
    mute: false,
    looks: 0,
    world: {
      contracts: CONTRACTS,
      deployment: DEPLOYMENT,
      till: TILL,
      committer: COMMITTER,
      model: MODEL,
      operator,
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/health') {
      node.looks += 1
      if (node.mute) return
      response.statusCode = node.ill ? 503 : 200
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({
          operator: node.world.operator,
          key: STUB_KEY,
          models: [{ name: node.world.model.name, ...node.offer }],
          confidentialKeys: [STUB_KEY],
          queue: { running: 0, waiting: 0, limit: 4 },
        }),
      )
      return
    }
    if (request.url?.startsWith('/v1/receipts/')) {
      const requestId = request.url.slice('/v1/receipts/'.length)
      const signed = node.receipts.get(requestId)
      if (signed === undefined) response.once('finish', () => unsigned.get(requestId)?.())
      response.statusCode = signed === undefined ? 404 : 200
      response.end(signed === undefined ? '{}' : JSON.stringify(signedReceiptToJson(signed)))
      return
    }
    const body = await bodyOf(request)
    node.requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      rawHeaders: request.rawHeaders,
      body,
    })
    if (request.url?.startsWith('/v1/messages/count_tokens')) {
      response.setHeader('content-type', 'application/json')
      response.end('{"input_tokens":3}')
      return
    }
    const { script } = node
    if (script.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    await script.work
    if (script.dieBeforeHead === true) return void request.socket.destroy()
    const status = script.status ?? 200
    const contentType =
      script.contentType ??
      (script.kind === 'whole' ? 'application/json' : 'text/event-stream; charset=utf-8')
    const hash = requestHash({
      method: request.method ?? '',
      path: request.url ?? '',
      headers: listedHeaders(
        request.rawHeaders.flatMap((name, at): [string, string][] =>
          at % 2 === 0 ? [[name, request.rawHeaders[at + 1] as string]] : [],
        ),
      ),
      body,
    })
    const { deployment, committer, contracts } = node.world
    const grant = request.headers[GRANT_HEADER]
    const common = {
      escrow: contracts.InferenceEscrow,
      committer,
      now: BigInt(Math.floor(Date.now() / 1000)),
    }
    const payment =
      typeof grant === 'string'
        ? await checkGrantPass({
            ...common,
            header: grant,
            deployment,
            requestHash: hash,
            modelId: node.world.model.modelId,
            quote: 0n,
          })
        : await checkPayment({
            ...common,
            header: String(request.headers['payment-signature']),
            chainId: deployment.chainId,
            token: contracts.OPG,
            till: node.world.till,
            minAmount: 0n,
          })
    if (!payment.ok) throw new Error(payment.reason)
    const terminal = script.terminal ?? new TextEncoder().encode('data: [DONE]\n\n')
    const before = concatBytes(script.chunks ?? [])

    async function sign(answer: Uint8Array, over: Partial<Receipt> = {}): Promise<SignedReceipt> {
      if (!payment.ok) throw new Error('unreachable')
      const price = script.price ?? 5n
      const privateKey = script.privateKey ?? KEY
      const [mode] = (node.offer.modes ?? node.world.model.modes) as ModeName[]
      if (mode === undefined) throw new Error('unreachable: there is no model without a mode')
      let receipt: Receipt = {
        version: 1,
        requestId: payment.requestId,
        payer: payment.payer,
        node: node.world.operator,
        key: privateKeyToAddress(privateKey).toLowerCase() as Address,
        seq: ++seq,
        committer: node.world.committer,
        includeBy: BigInt(Math.floor(Date.now() / 1000) + 600),
        modelId: node.world.model.modelId,
        priceVersion: 1n,
        engineClass: mode === 'bonded' ? ENGINE_CLASS.unattested : ENGINE_CLASS.enclave,
        mode: MODE[mode],
        status: STATUS.complete,
        requestHash: hash,
        responseHash: responseHash({ status, contentType, body: answer }),
        evidenceHash: `0x${'00'.repeat(32)}`,
        inputUnits: 1n,
        outputUnits: price === 0n ? 0n : 1n,
        price,
        valueAtRisk: readOpg(String(request.headers['x-assay-value-at-risk'] ?? '0')) ?? 0n,
        anchorBlock: 1n,
        anchorHash: `0x${'00'.repeat(32)}`,
        issuedAt: BigInt(Math.floor(Date.now() / 1000)),
        ...over,
      }
      receipt = script.alter?.(receipt) ?? receipt
      const signed = {
        receipt,
        signature: await signDigest(receiptDigest(receipt, node.world.deployment), privateKey),
      }
      const sent = script.spoil?.(signed) ?? signed
      node.receipts.set(payment.requestId, sent)
      return sent
    }

    if (script.kind === 'whole') {
      const answer = script.body ?? new Uint8Array(0)
      const headers: Record<string, string> = { 'content-type': contentType }
      if (script.withoutReceipt !== true) headers['x-assay-receipt'] = encodeReceiptHeader(await sign(answer))
      response.writeHead(status, headers)
      response.end(answer)
      return
    }
    response.writeHead(status, { 'content-type': contentType, 'x-assay-request-id': payment.requestId })
    let gone = false
    response.on('close', () => {
      if (response.writableFinished) return
      gone = true
      // Signs for what was delivered, as a node does for a cancelled answer.
      const signLast = () => void sign(new Uint8Array(0), { status: STATUS.cancelled, price: 2n })
      if (script.signsLate === true) unsigned.set(payment.requestId, signLast)
      else signLast()
    })
    if (script.cuts !== undefined) {
      const signed = await sign(stripSseComments(concatBytes([before, terminal])))
      const wire = concatBytes([
        before,
        new TextEncoder().encode(`${RECEIPT_COMMENT}${encodeReceiptHeader(signed)}\n`),
        terminal,
      ])
      let at = 0
      for (const cut of [...new Set(script.cuts.map((offset) => offset % wire.length))].sort(
        (a, b) => a - b,
      )) {
        if (cut > at) {
          response.write(wire.subarray(at, cut))
          await new Promise((resolve) => setImmediate(resolve))
        }
        at = Math.max(at, cut)
      }
      response.end(wire.subarray(at))
      return
    }
    for (const [index, chunk] of (script.chunks ?? []).entries()) {
      response.write(chunk)
      if (index === 0) await script.pause
    }
    if (gone) return
    if (script.dieBeforeReceipt === true) {
      response.removeAllListeners('close')
      request.socket.destroy()
      return
    }
    if (script.withoutReceipt !== true) {
      const signed = await sign(stripSseComments(concatBytes([before, terminal])))
      response.write(`${RECEIPT_COMMENT}${encodeReceiptHeader(signed)}\n`)
    }
    response.end(terminal)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  node.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return node
}
