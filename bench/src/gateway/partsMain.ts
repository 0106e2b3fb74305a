/**
 * The gateway's own parts on one path of one upstream, with only those of its guarantees that `BENCH_GUARANTEES` names:
 * what each of them costs shows when it is left out, and with none of them this is a plain proxy. It is no way to run a
 * gateway, and settles nothing.
 */
import { loadNetwork } from '@assay/chain'
import {
  canonicalJson,
  concatBytes,
  decodeReceiptHeader,
  deploymentOf,
  grantFromJson,
  grantIdOf,
  type HttpResponseBytes,
  type Json,
  listedHeaders,
  type NetworkModel,
  quoteMaximum,
  RECEIPT_HEADER,
  readIntent,
  receiptLeaf,
  receiptToJson,
  requestHash,
  type SignedReceipt,
  stripSseComments,
} from '@assay/protocol'
import { addApiKey, openStore } from '@assay/store'
import { Pool } from 'undici'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { connectChain } from '../../../packages/gateway/src/chain/onChain.ts'
import { createFreshCache } from '../../../packages/gateway/src/freshCache.ts'
import { ask } from '../../../packages/gateway/src/http/ask.ts'
import { createServer } from '../../../packages/gateway/src/http/createServer.ts'
import { DEFAULT_LIMITS } from '../../../packages/gateway/src/limits.ts'
import { readBounded } from '../../../packages/gateway/src/nodes/readBounded.ts'
import { receiptProblem } from '../../../packages/gateway/src/relay/checkReceipt.ts'
import {
  sendWritten,
  writeStreamHead,
  writeToClient,
} from '../../../packages/gateway/src/relay/clientWriter.ts'
import { createKeyCheck } from '../../../packages/gateway/src/relay/keyCheck.ts'
import { bodyOf } from '../../../packages/gateway/src/relay/quote.ts'
import { ReceiptGate } from '../../../packages/gateway/src/relay/receiptGate.ts'
import {
  headerPairs,
  requestHeaders,
  responseHeaders,
} from '../../../packages/gateway/src/relay/upstreamHeaders.ts'
import { type PaidCall, type Parts, paidByKey, paidBySignature } from './partsPayment.ts'

const {
  ASSAY_NETWORK = '',
  ASSAY_KEY = '',
  ASSAY_DATA = '',
  ASSAY_PORT,
  DATABASE_URL,
  BENCH_UPSTREAM = '',
  BENCH_GUARANTEES = '',
  BENCH_PAID_BY,
} = process.env
const kept = new Set(BENCH_GUARANTEES.split(' ').filter((name) => name !== ''))
const network = loadNetwork(ASSAY_NETWORK)
const committer = privateKeyToAddress(ASSAY_KEY as Hex).toLowerCase() as Address
const chain = connectChain(network, ASSAY_KEY as Hex)
const till = (await chain.till()) as Address
const deployment = deploymentOf(network)
const [model] = network.models
if (model === undefined) throw new Error('The network has no model.')
const priceOf = createFreshCache((modelId: Hex) => chain.price(modelId))
const keyCounts = createKeyCheck(chain)
const store = kept.has('outbox')
  ? await openStore({ directory: ASSAY_DATA, databaseUrl: DATABASE_URL })
  : undefined
const pool = new Pool(BENCH_UPSTREAM, { connections: 16 })
const limits = DEFAULT_LIMITS

const parts: Parts = {
  ...{ network, model, deployment, chain, till, committer, store },
  privateKey: ASSAY_KEY as Hex,
  nodeUrl: BENCH_UPSTREAM,
}
/** Nobody asks who pays where nothing is kept of it. */
const isPaid = kept.size > 0
const byKey = BENCH_PAID_BY === 'key'
const pay = byKey ? paidByKey(parts) : paidBySignature(parts, kept.has('payment'))

async function quoted(body: Uint8Array): Promise<bigint> {
  const read = readIntent('chat', body, () => model?.contextLength)
  if ('problem' in read) throw new Error(read.problem.message)
  const price = await priceOf((model as NetworkModel).modelId)
  return quoteMaximum(price, body.length, read.intent.maxOutput)
}

async function checkReceipt(
  signed: SignedReceipt,
  { requestId, payer, amount }: PaidCall,
  hash: Hex,
  answer: HttpResponseBytes,
): Promise<void> {
  const [node] = network.nodes
  const expected = {
    ...{ requestId, payer, committer, requestHash: hash, authorised: amount },
    modelId: (model as NetworkModel).modelId,
    node: node?.operator.toLowerCase() as Address,
  }
  const problem = await receiptProblem(signed, expected, { deployment, keyCounts }, answer)
  if (problem !== undefined) throw new Error(`The receipt's ${problem} does not hold.`)
}

async function record(signed: SignedReceipt): Promise<void> {
  const { receipt, signature } = signed
  await store?.writer.record({
    requestId: receipt.requestId,
    receipt: canonicalJson(receiptToJson(receipt)),
    signature,
    leaf: receiptLeaf(signed),
    price: receipt.price,
    collectAmount: receipt.price,
    prepaid: byKey,
  })
}

const server = createServer(limits, (_id, _answer, failure) => console.error(failure))
server.get('/health', async () => ({ ok: true }))
/** Takes any key without a look: only calls are measured. */
server.post('/v1/grants', async (request) => {
  const { grant, keyHash } = JSON.parse(String(request.body)) as { grant: Json; keyHash: Hex }
  const terms = grantFromJson(grant)
  const { payer, maxTotal, ratePerHour } = terms
  const stored = {
    grantId: grantIdOf(terms, deployment),
    payer,
    terms: canonicalJson(grant),
    maxTotal,
    ratePerHour,
  }
  return { added: await addApiKey((store as NonNullable<typeof store>).database, stored, keyHash) }
})
server.post('/v1/chat/completions', async (request, reply) => {
  const body = bodyOf(request)
  let call: PaidCall | undefined
  let hash: Hex = '0x'
  if (isPaid) {
    const { method, raw, headers } = request
    hash = requestHash({
      method,
      path: raw.url ?? '/',
      headers: listedHeaders(headerPairs(raw.rawHeaders)),
      body,
    })
    call = await pay({ headers, hash, quote: () => quoted(body) })
    // Awaited before anything goes out, or anything but an opening.
    for (const asked of [call.held, call.stands]) asked.catch(() => {})
  }
  reply.hijack()
  const upstream = await ask(pool, {
    method: 'POST',
    path: request.raw.url ?? '/',
    headers: requestHeaders(request.raw.rawHeaders, committer, call?.headers),
    body,
  })
  const headers = responseHeaders(upstream.headers)
  const contentType = String(upstream.headers['content-type'])
  const status = upstream.statusCode
  const judge = async (receipt: string, answer: Uint8Array): Promise<void> => {
    if (call === undefined) return
    const signed = decodeReceiptHeader(receipt)
    if (kept.has('receipt')) await checkReceipt(signed, call, hash, { status, contentType, body: answer })
    if (!(await call.held)) throw new Error('The payment is in use.')
    if (!(await call.stands)) throw new Error('The payment does not stand any more.')
    await record(signed)
  }
  if (!contentType.startsWith('text/event-stream')) {
    const bytes = await readBounded(upstream.body, limits.maxAnswerBytes)
    await judge(String(upstream.headers[RECEIPT_HEADER]), bytes)
    reply.raw.writeHead(status, { ...headers, 'content-length': bytes.length }).end(bytes)
    return
  }
  writeStreamHead(reply.raw, status, headers)
  const gate = new ReceiptGate()
  const passed: Uint8Array[] = []
  for await (const chunk of upstream.body) {
    if (call === undefined) {
      await writeToClient(reply.raw, chunk, limits.clientStallMs)
      continue
    }
    const open = gate.push(chunk)
    passed.push(open)
    await writeToClient(reply.raw, open, limits.clientStallMs)
    const end = gate.end()
    if (end === undefined) continue
    sendWritten(reply.raw)
    // The opening is out already; this payer has paid for calls, and the stream is no longer than an opening.
    await judge(end.receipt.trim(), stripSseComments(concatBytes([...passed, end.terminal])))
    await writeToClient(reply.raw, end.held, limits.clientStallMs)
  }
  reply.raw.end()
})
await server.listen({ host: '127.0.0.1', port: Number(ASSAY_PORT) })
process.once('SIGTERM', () => process.exit(0))
