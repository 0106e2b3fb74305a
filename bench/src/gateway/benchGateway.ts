import { quoteMaximum } from '@assay/protocol'
import type { Hex } from 'viem'
import { postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { type SignedPayment, signExactPayment } from '../exactPayment.ts'
import { LOCAL_PRICE, startLocalNetwork } from '../localNetwork.ts'
import { number, printTable } from '../table.ts'
import { GUARANTEES, startAssayGateway, startFloor, startParts } from './assayGateway.ts'
import { litellmMissing, startLiteLlm } from './litellm.ts'
import { type Latency, measureLatency } from './measure.ts'
import { startPortkey } from './portkey.ts'
import type { ServerProcess } from './serverProcess.ts'
import { startStubNode } from './stubNode.ts'
import { startStubUpstream } from './stubUpstream.ts'
import { chainReadTime, commitTime, syncTimes } from './waits.ts'

const CALLS = 600
/** A gateway runs for weeks: what its compiler still does for the first calls is no part of what a call takes. */
const WARM_UP = 600
const MAX_TOKENS = 32
const DESCRIBED = {
  payment: 'the payment check',
  receipt: 'the receipt check',
  outbox: 'the durable outbox',
}

type Server = { url: string; process?: ServerProcess }

/**
 * What a gateway adds to a call over an upstream that answers at once, one call at a time. Ours does all of its work: it
 * checks the payment, asks a chain for balance and nonce, checks the receipt, makes it durable before the last byte, and
 * batches and commits meanwhile. What each guarantee costs shows in the rows that leave it out; with none of them the same
 * parts are a plain proxy. Every gateway runs in a process of its own.
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
  const noLiteLlm = litellmMissing()
  if (noLiteLlm !== undefined) console.log(`LiteLLM is skipped: ${noLiteLlm}.`)
  const litellm = noLiteLlm === undefined ? kept(await startLiteLlm(local.folder, stub.url)) : undefined
  const missing = postgresMissing()
  if (missing !== false) console.log(`The gateway over PostgreSQL is skipped: ${missing}.`)
  const ids = new Map<string, Hex>()
  await node.serve(local, (header) => ids.get(header) as Hex)
  const floor = kept(await startFloor(local, stub.url))
  const plain = kept(await startParts(local, stub.url, []))
  const off = kept(await startParts(local, node.url, []))
  const ours: { name: string; server: Server }[] = []
  for (const left of GUARANTEES) {
    const server = kept(
      await startParts(
        local,
        node.url,
        GUARANTEES.filter((name) => name !== left),
      ),
    )
    ours.push({ name: `our parts without ${DESCRIBED[left]}`, server })
  }
  ours.push(
    { name: 'our parts with all three', server: kept(await startParts(local, node.url, GUARANTEES)) },
    { name: 'assay as it ships, embedded store', server: kept(await startAssayGateway(local)) },
  )
  let databaseUrl: string | undefined
  if (missing === false) {
    const postgres = await startPostgres()
    closers.push(() => postgres.close())
    databaseUrl = await postgres.createDatabase()
    const server = kept(await startAssayGateway(local, databaseUrl))
    ours.push({ name: 'assay as it ships, PostgreSQL with fsync', server })
  }

  const rows: string[][] = []
  const firstBytes: string[] = []
  let payment = 0
  for (const stream of [false, true]) {
    const body = JSON.stringify({
      model: 'bench',
      messages: [{ role: 'user', content: 'Say twenty words.' }],
      max_tokens: MAX_TOKENS,
      stream,
    })
    const value = quoteMaximum(LOCAL_PRICE, Buffer.byteLength(body), MAX_TOKENS)
    const unpaid = () => ({ headers: {}, body })
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
    const direct = await measure(stub, unpaid)
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
    if (litellm !== undefined) rows.push(row('LiteLLM over it', await measure(litellm, unpaid), direct))
    rows.push(row('bare node:http and undici over it', await measure(floor, unpaid), direct))
    rows.push(row('assay as a plain proxy over it', await measure(plain, unpaid), direct))
    const signing = await paid(node)
    rows.push(row('upstream that signs receipts, alone', signing, signing))
    const without = await paid(off)
    rows.push(row('our parts without all three', without, signing))
    for (const { name, server } of ours) {
      const latency = await paid(server)
      rows.push(row(name, latency, signing))
      if (name.includes('without')) continue
      const later = number(latency.firstP50 - without.firstP50, 2)
      firstBytes.push(`${kind}, ${name}: ${later} ms`)
    }
  }
  printTable(
    `Milliseconds per call, ${CALLS} calls one after another; added = over the same upstream alone`,
    ['call', 'p50', 'p99', 'added p50', 'added to first byte', 'vs portkey', 'calls/s a core', 'MiB'],
    rows,
  )
  const { grown, inside } = await syncTimes(local.folder)
  console.log('\nWhat a paid call cannot be done without, p50:')
  console.log(
    `  fdatasync of one line: ${number(inside, 2)} ms inside a file, ${number(grown, 2)} ms where it grows`,
  )
  console.log(`  one question to the chain: ${number(await chainReadTime(local.network), 2)} ms`)
  if (databaseUrl !== undefined) {
    console.log(`  one commit of PostgreSQL: ${number(await commitTime(databaseUrl), 2)} ms`)
  }
  console.log('\nFirst byte later than without the three guarantees, p50:')
  for (const line of firstBytes) console.log(`  ${line}`)
}
