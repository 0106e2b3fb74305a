import { quoteMaximum } from '@assay/protocol'
import type { Hex } from 'viem'
import { postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { type SignedPayment, signExactPayment } from '../exactPayment.ts'
import { LOCAL_PRICE, startLocalNetwork } from '../localNetwork.ts'
import { number, printTable } from '../table.ts'
import { startAssayGateway } from './assayGateway.ts'
import { startLiteLlm } from './litellm.ts'
import { type Latency, measureLatency } from './measure.ts'
import { startPortkey } from './portkey.ts'
import type { ServerProcess } from './serverProcess.ts'
import { startStubNode } from './stubNode.ts'
import { startStubUpstream } from './stubUpstream.ts'

const CALLS = 400
const WARM_UP = 100
const MAX_TOKENS = 32

type Server = { url: string; process?: ServerProcess }

/**
 * What a gateway adds to a call over an upstream that answers at once, one call at a time. Ours does all of its work: it
 * checks the payment, asks a chain for balance and nonce, checks the receipt, makes it durable before the last byte, and
 * batches and commits meanwhile. Every gateway runs in a process of its own.
 */
export async function benchGateway(): Promise<void> {
  const closers: (() => unknown)[] = []
  try {
    await measureAll(closers)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

async function measureAll(closers: (() => unknown)[]): Promise<void> {
  const kept = <Kept extends { process: ServerProcess }>(server: Kept): Kept => {
    closers.push(() => server.process.close())
    return server
  }
  const stub = await startStubUpstream()
  closers.push(() => stub.close())
  const node = await startStubNode()
  closers.push(() => node.close())
  const local = await startLocalNetwork(node.url)
  closers.push(() => local.close())
  const portkey = kept(await startPortkey())
  const litellm = await startLiteLlm(local.folder, stub.url)
  if (litellm === undefined) console.log('LiteLLM is skipped: ASSAY_LITELLM does not name its program.')
  else kept(litellm)
  const missing = postgresMissing()
  if (missing !== false) console.log(`The gateway over PostgreSQL is skipped: ${missing}.`)
  const ids = new Map<string, Hex>()
  await node.serve(local, (header) => ids.get(header) as Hex)
  const ours: { name: string; server: Server }[] = [
    { name: 'assay over it, embedded store', server: kept(await startAssayGateway(local)) },
  ]
  if (missing === false) {
    const postgres = await startPostgres()
    closers.push(() => postgres.close())
    const server = kept(await startAssayGateway(local, await postgres.createDatabase()))
    ours.push({ name: 'assay over it, PostgreSQL with fsync', server })
  }

  const rows: string[][] = []
  let payment = 0
  for (const stream of [false, true]) {
    const body = JSON.stringify({
      model: 'bench',
      messages: [{ role: 'user', content: 'Say twenty words.' }],
      max_tokens: MAX_TOKENS,
      stream,
    })
    const value = quoteMaximum(LOCAL_PRICE, Buffer.byteLength(body), MAX_TOKENS)
    const plain = () => ({ headers: {}, body })
    const measure = (
      server: Server,
      callOf: (call: number) => { headers: Record<string, string>; body: string },
    ) => measureLatency(server, CALLS, WARM_UP, callOf)
    async function paid(server: Server): Promise<Latency> {
      const payments: SignedPayment[] = []
      for (let call = 0; call < CALLS + WARM_UP; call++) {
        const signed = await signExactPayment(local, payment++, value)
        ids.set(signed.header, signed.requestId)
        payments.push(signed)
      }
      return measure(server, (call) => ({
        headers: { 'payment-signature': (payments[call] as SignedPayment).header },
        body,
      }))
    }
    const direct = await measure(stub, plain)
    const peer = await measure(portkey, () => ({
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
      number(latency.firstP50 - base.firstP50, 2),
      `${number((latency.p50 - base.p50) / (peer.p50 - direct.p50), 2)}×`,
      latency.perCore === undefined ? '' : number(latency.perCore),
      latency.memory === undefined ? '' : number(latency.memory),
    ]
    rows.push(row('upstream alone', direct, direct), row('@portkey-ai/gateway over it', peer, direct))
    if (litellm !== undefined) rows.push(row('LiteLLM over it', await measure(litellm, plain), direct))
    const signing = await paid(node)
    rows.push(row('upstream that signs receipts, alone', signing, signing))
    for (const { name, server } of ours) rows.push(row(name, await paid(server), signing))
  }
  printTable(
    `Milliseconds per call, ${CALLS} calls one after another; added = over the same upstream alone`,
    ['call', 'p50', 'p99', 'added p50', 'added to first byte', 'vs portkey', 'calls/s a core', 'MiB'],
    rows,
  )
}
