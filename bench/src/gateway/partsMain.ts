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
  type HttpResponseBytes,
  listedHeaders,
  quoteMaximum,
  RECEIPT_HEADER,
  readIntent,
  receiptLeaf,
  receiptToJson,
  requestHash,
  SCHEME,
  type SignedReceipt,
  stripSseComments,
} from '@assay/protocol'
import { openStore } from '@assay/store'
import { type CheckedPayment, checkPayment } from '@assay/verify'
import { Pool } from 'undici'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { connectChain } from '../../../packages/gateway/src/chain/onChain.ts'
import { createFreshCache } from '../../../packages/gateway/src/freshCache.ts'
import { ask } from '../../../packages/gateway/src/http/ask.ts'
import { createServer } from '../../../packages/gateway/src/http/createServer.ts'
import { DEFAULT_LIMITS } from '../../../packages/gateway/src/limits.ts'
import { readBounded } from '../../../packages/gateway/src/nodes/readBounded.ts'
import { encodeCollect } from '../../../packages/gateway/src/payment/collectArgument.ts'
import { createFundsCache } from '../../../packages/gateway/src/payment/fundsCache.ts'
import { receiptProblem } from '../../../packages/gateway/src/relay/checkReceipt.ts'
import { writeStreamHead, writeToClient } from '../../../packages/gateway/src/relay/clientWriter.ts'
import { createKeyCheck } from '../../../packages/gateway/src/relay/keyCheck.ts'
import { bodyOf } from '../../../packages/gateway/src/relay/quote.ts'
import { ReceiptGate } from '../../../packages/gateway/src/relay/receiptGate.ts'
import {
  headerPairs,
  requestHeaders,
  responseHeaders,
} from '../../../packages/gateway/src/relay/upstreamHeaders.ts'
import { type StatedPayment, statedPayment } from './statedPayment.ts'

const {
  ASSAY_NETWORK = '',
  ASSAY_KEY = '',
  ASSAY_DATA = '',
  ASSAY_PORT,
  DATABASE_URL,
  BENCH_UPSTREAM = '',
  BENCH_GUARANTEES = '',
} = process.env
const kept = new Set(BENCH_GUARANTEES.split(' '))
const network = loadNetwork(ASSAY_NETWORK)
const committer = privateKeyToAddress(ASSAY_KEY as Hex).toLowerCase() as Address
const chain = connectChain(network, ASSAY_KEY as Hex)
const till = (await chain.till()) as Address
const deployment = deploymentOf(network)
const [model] = network.models
if (model === undefined) throw new Error('The network has no model.')
const priceOf = createFreshCache((modelId: Hex) => chain.price(modelId))
const funds = createFundsCache(chain)
const keyCounts = createKeyCheck(chain)
const store = kept.has('outbox')
  ? await openStore({ directory: ASSAY_DATA, databaseUrl: DATABASE_URL })
  : undefined
const pool = new Pool(BENCH_UPSTREAM, { connections: 16 })
const limits = DEFAULT_LIMITS

/** Signature, amount and balance, all checked. */
async function checkedPayment(header: string, body: Uint8Array): Promise<CheckedPayment> {
  const read = readIntent('chat', body, () => model?.contextLength)
  if ('problem' in read) throw new Error(read.problem.message)
  const price = await priceOf((model as NonNullable<typeof model>).modelId)
  const payment = await checkPayment({
    header,
    chainId: network.chainId,
    token: network.contracts.OPG,
    till,
    escrow: network.contracts.InferenceEscrow,
    committer,
    minAmount: quoteMaximum(price, body.length, read.intent.maxOutput),
    now: BigInt(Math.floor(Date.now() / 1000)),
  })
  if (!payment.ok) throw new Error(payment.reason)
  if ((await funds.read(payment.payer)).balance < payment.amount) throw new Error('The payer has too little.')
  return payment
}

async function checkReceipt(
  signed: SignedReceipt,
  { requestId, payer, amount }: StatedPayment,
  hash: Hex,
  answer: HttpResponseBytes,
): Promise<void> {
  const [node] = network.nodes
  const expected = {
    ...{ requestId, payer, committer, requestHash: hash, authorised: amount },
    modelId: (model as NonNullable<typeof model>).modelId,
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
    prepaid: false,
  })
}

const server = createServer(limits, (error) => console.error(error))
server.get('/health', async () => ({ ok: true }))
server.post('/v1/chat/completions', async (request, reply) => {
  const body = bodyOf(request)
  const header = String(request.headers['payment-signature'] ?? '')
  const checked = kept.has('payment') ? await checkedPayment(header, body) : undefined
  const payment =
    checked ?? (kept.has('outbox') || kept.has('receipt') ? statedPayment(header, network) : undefined)
  const hash =
    payment === undefined
      ? '0x'
      : requestHash({
          method: request.method,
          path: request.raw.url ?? '/',
          headers: listedHeaders(headerPairs(request.raw.rawHeaders)),
          body,
        })
  if (store !== undefined && payment !== undefined) {
    const { requestId, payer, amount, expiresAt } = payment
    const collect = checked === undefined ? '{}' : encodeCollect(checked)
    const claimed = await store.writer.claim({
      ...{ requestId, payer, scheme: SCHEME.exact, authorised: amount, expiresAt, collect },
      modelId: (model as NonNullable<typeof model>).modelId,
      nodeUrl: BENCH_UPSTREAM,
      requestHash: hash,
      instance: 'bench',
    })
    if (!claimed) throw new Error('The payment is in use.')
  }
  reply.hijack()
  // Answered while the node works, and awaited before anything but an opening goes out.
  const unused = checked === undefined ? Promise.resolve(true) : chain.nonceUnused(checked)
  unused.catch(() => {})
  const upstream = await ask(pool, {
    method: 'POST',
    path: request.raw.url ?? '/',
    headers: requestHeaders(request.raw.rawHeaders, committer),
    body,
  })
  const headers = responseHeaders(upstream.headers)
  const contentType = String(upstream.headers['content-type'])
  const status = upstream.statusCode
  const judge = async (receipt: string, answer: Uint8Array): Promise<void> => {
    if (payment === undefined) return
    const signed = decodeReceiptHeader(receipt)
    if (kept.has('receipt')) await checkReceipt(signed, payment, hash, { status, contentType, body: answer })
    if (!(await unused)) throw new Error('The nonce was used.')
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
    if (payment === undefined) {
      await writeToClient(reply.raw, chunk, limits.clientStallMs)
      continue
    }
    const open = gate.push(chunk)
    passed.push(open)
    await writeToClient(reply.raw, open, limits.clientStallMs)
    const end = gate.end()
    if (end === undefined) continue
    // The opening is out already; this payer has paid for calls, and the stream is no longer than an opening.
    await judge(end.receipt.trim(), stripSseComments(concatBytes([...passed, end.terminal])))
    await writeToClient(reply.raw, end.held, limits.clientStallMs)
  }
  reply.raw.end()
})
await server.listen({ host: '127.0.0.1', port: Number(ASSAY_PORT) })
process.once('SIGTERM', () => process.exit(0))
