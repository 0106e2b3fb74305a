import { quoteMaximum } from '@assay/protocol'
import type { Hex } from 'viem'
import { type SignedPayment, signExactPayment } from '../exactPayment.ts'
import { LOCAL_PRICE, startLocalNetwork } from '../localNetwork.ts'
import { number, printTable } from '../table.ts'
import { startAssayGateway } from './assayGateway.ts'
import { type Latency, measureLatency } from './measure.ts'
import { startPortkey } from './portkey.ts'
import { startStubNode } from './stubNode.ts'
import { startStubUpstream } from './stubUpstream.ts'

const CALLS = 400
const WARM_UP = 100
const MAX_TOKENS = 32

/**
 * What a gateway adds to a call over an upstream that answers at once, one call at a time. Ours does all of its work: it
 * checks the payment, asks a chain for balance and nonce, checks the receipt, makes it durable before the last byte, and
 * batches and commits meanwhile. Both gateways run in processes of their own.
 */
export async function benchLatency(): Promise<void> {
  const stub = await startStubUpstream()
  const node = await startStubNode()
  const local = await startLocalNetwork(node.url)
  const portkey = await startPortkey()
  const ids = new Map<string, Hex>()
  await node.serve(local, (header) => ids.get(header) as Hex)
  const gateway = await startAssayGateway(local)
  try {
    const rows: string[][] = []
    for (const [at, stream] of [false, true].entries()) {
      const body = JSON.stringify({
        model: 'bench',
        messages: [{ role: 'user', content: 'Say twenty words.' }],
        max_tokens: MAX_TOKENS,
        stream,
      })
      const value = quoteMaximum(LOCAL_PRICE, Buffer.byteLength(body), MAX_TOKENS)
      const payments: SignedPayment[] = []
      for (let call = 0; call < CALLS + WARM_UP; call++) {
        const payment = await signExactPayment(local, at * 1_000_000 + call, value)
        ids.set(payment.header, payment.requestId)
        payments.push(payment)
      }
      const plain = () => ({ headers: {}, body })
      const direct = await measureLatency(stub.url, CALLS, WARM_UP, plain)
      const signing = await measureLatency(node.url, CALLS, WARM_UP, (call) => ({
        headers: { 'payment-signature': (payments[call] as SignedPayment).header },
        body,
      }))
      const assay = await measureLatency(gateway.url, CALLS, WARM_UP, (call) => ({
        headers: { 'payment-signature': (payments[call] as SignedPayment).header },
        body,
      }))
      const peer = await measureLatency(portkey.url, CALLS, WARM_UP, () => ({
        headers: {
          'x-portkey-provider': 'openai',
          'x-portkey-custom-host': `${stub.url}/v1`,
          authorization: 'Bearer none',
        },
        body,
      }))
      const kind = stream ? 'streamed' : 'whole'
      const row = (name: string, latency: Latency, base: Latency) => [
        `${kind}: ${name}`,
        number(latency.p50, 2),
        number(latency.p99, 2),
        number(latency.p50 - base.p50, 2),
        number(latency.p99 - base.p99, 2),
        `${number((latency.p50 - base.p50) / (peer.p50 - direct.p50), 2)}×`,
      ]
      rows.push(
        row('upstream alone', direct, direct),
        row('@portkey-ai/gateway over it', peer, direct),
        row('upstream that signs receipts, alone', signing, signing),
        row('assay gateway over that one', assay, signing),
      )
    }
    printTable(
      `Milliseconds per call, ${CALLS} calls one after another; added = over the same upstream alone`,
      ['call', 'p50', 'p99', 'added p50', 'added p99', 'added p50 vs portkey'],
      rows,
    )
  } finally {
    await gateway.close()
    await portkey.close()
    node.close()
    stub.close()
    await local.close()
  }
}
