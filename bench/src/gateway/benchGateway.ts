import { setTimeout as delay } from 'node:timers/promises'
import { postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { startLocalNetwork } from '../localNetwork.ts'
import { number } from '../table.ts'
import { startStubNode } from './assayGateway.ts'
import { createKeyedCalls, createWallet, KINDS, type Kind, plainCalls } from './calls.ts'
import { litellmMissing } from './litellm.ts'
import { type Call, type Server, type Times, timeCalls } from './measure.ts'
import { portkeyHeaders, startPortkey } from './portkey.ts'
import { type Look, type Measured, printReport } from './report.ts'
import { type Row, rowsOver } from './rows.ts'
import { freePort } from './serverProcess.ts'
import { startStubUpstream } from './stubUpstream.ts'
import { chainReadTime, commitTime } from './waits.ts'

type MakeCalls = (kind: Kind, count: number) => Call[] | Promise<Call[]>

/** Each row is measured so many times, and its upstreams and Portkey before, between and after. */
const ROUNDS = 4
const CALLS = 400
/**
 * A gateway runs for weeks: what its compiler still does for the first thousands of calls is no part of what a call takes,
 * and the Portkey that all are held against has many behind it.
 */
const WARM_UP = 2000
/** Of the upstreams and of Portkey at one look; a stream takes Portkey as long as thirty whole answers. */
const LOOK_CALLS = 200
const LOOK_STREAMS_OF_PORTKEY = 20
/** What a gateway has still to do behind its last answer is no part of what the next look sees, milliseconds. */
const REST_MS = 500

/**
 * What a gateway adds to a call over an upstream that answers at once, one call at a time. Ours does all of its work: it
 * checks the payment, asks a chain for balance and nonce, checks the receipt, makes it durable before the last byte, and
 * batches and commits meanwhile. What each guarantee costs shows in the rows that leave it out; with none of them the same
 * parts are a plain proxy. Each gateway is a process of its own, and so is the node; while one is measured no other is there
 * but the Portkey that all are held against, which idles. No machine is as fast in one moment as in the next, so each row is
 * measured in turns with the upstreams and Portkey, and held against what they took meanwhile.
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
  const stub = await startStubUpstream()
  closers.push(() => stub.close())
  const nodePort = await freePort()
  const local = await startLocalNetwork(`http://127.0.0.1:${nodePort}`)
  closers.push(() => local.close())
  const node = await startStubNode(local, nodePort)
  closers.push(() => node.process.close())
  const portkey = await startPortkey()
  closers.push(() => portkey.process.close())
  const noLiteLlm = litellmMissing()
  if (noLiteLlm !== undefined) console.log(`LiteLLM is skipped: ${noLiteLlm}.`)
  const missing = postgresMissing()
  if (missing !== false) console.log(`The gateway over PostgreSQL is skipped: ${missing}.`)
  const postgres = missing === false ? await startPostgres() : undefined
  closers.push(() => postgres?.close())

  const paidCalls = createWallet(local)
  const portkeyCalls: MakeCalls = (kind, count) => plainCalls(kind, count, portkeyHeaders(stub.url))
  async function callsTo({ url }: Server, calls: Row['calls']): Promise<MakeCalls> {
    if (calls === 'keyed') return createKeyedCalls(local, url)
    return { plain: plainCalls, paid: paidCalls, portkey: portkeyCalls }[calls]
  }
  async function time(server: Server, make: MakeCalls, kind: Kind, count: number): Promise<Times> {
    return timeCalls(server, await make(kind, count))
  }
  async function look(): Promise<Look> {
    return {
      stub: {
        whole: await time(stub, plainCalls, 'whole', LOOK_CALLS),
        streamed: await time(stub, plainCalls, 'streamed', LOOK_CALLS),
      },
      node: {
        whole: await time(node, paidCalls, 'whole', LOOK_CALLS),
        streamed: await time(node, paidCalls, 'streamed', LOOK_CALLS),
      },
      portkey: {
        whole: await time(portkey, portkeyCalls, 'whole', LOOK_CALLS),
        streamed: await time(portkey, portkeyCalls, 'streamed', LOOK_STREAMS_OF_PORTKEY),
      },
    }
  }
  async function measure(row: Row): Promise<Measured> {
    const { calls, start } = row
    const server = await start()
    const cpu = { whole: 0, streamed: 0 }
    const times: Record<Kind, Times[]> = { whole: [], streamed: [] }
    try {
      const make = await callsTo(server, calls)
      for (const kind of KINDS) await time(server, make, kind, WARM_UP)
      const looks = [await look()]
      for (let round = 0; round < ROUNDS; round++) {
        for (const kind of KINDS) {
          const ready = await make(kind, CALLS)
          const before = server.process.cpuSeconds()
          times[kind].push(await timeCalls(server, ready))
          await delay(REST_MS)
          cpu[kind] += (server.process.cpuSeconds() - before) / (CALLS * ROUNDS)
        }
        looks.push(await look())
      }
      return { row, times, cpu, memory: server.process.residentMiB(), looks }
    } finally {
      await server.process.close()
    }
  }

  for (let at = 0; at < WARM_UP; at += LOOK_CALLS) await look()
  const measured: Measured[] = []
  for (const row of rowsOver(local, { stub, node }, postgres?.createDatabase))
    measured.push(await measure(row))
  printReport(measured, CALLS * ROUNDS)
  console.log('\nWhat a paid call cannot be done without, p50:')
  console.log(`  one question to the chain: ${number(await chainReadTime(local.network), 2)} ms`)
  if (postgres !== undefined) {
    const time = await commitTime(await postgres.createDatabase())
    console.log(`  one commit of PostgreSQL: ${number(time, 2)} ms`)
  }
}
