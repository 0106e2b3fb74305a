/**
 * Kills the gateway at random moments under load and holds the chain against what the clients saw.
 *   node test/e2e/crashCampaign.ts --kills 200
 * Prints what it counted; exits 1 and lists every broken promise if there is one.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { decodeRequestAuthHeader, type Network, REQUEST_AUTH_HEADER, type Receipt } from '@assay/protocol'
import { assayFetch } from '@assay/sdk'
import type { Hex } from 'viem'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'
import { moneyOf, spendingSince } from './money.ts'
import { drain, judge, type Verdict } from './promises.ts'

/** Each client asks one kind of call over and over. */
const CLIENTS = [
  { stream: false, scheme: 'upto' },
  { stream: true, scheme: 'upto' },
  { stream: false, scheme: 'exact' },
  { stream: true, scheme: 'exact' },
] as const
/** How long a gateway lives at most once it is up, milliseconds. */
const MAX_LIFE = 4000
/** One kill in this many comes while the gateway still starts. */
const EARLY_KILLS = 4

export type CampaignResult = Omit<Verdict, 'broken'> & {
  kills: number
  attempted: number
  delivered: number
  seconds: number
  /** Every promise that was broken, in words. */
  broken: string[]
}

type Load = { attempted: Set<Hex>; delivered: Map<Hex, Receipt>; stop(): Promise<void> }

/** Runs the clients until they are stopped. What they were promised is what they can prove: verified answers only. */
function startLoad(network: Network, privateKey: Hex): Load {
  const attempted = new Set<Hex>()
  const delivered = new Map<Hex, Receipt>()
  let stopped = false
  // The request's id is fixed by the payment, hence known before any answer; here is where it can be seen.
  const plainFetch = globalThis.fetch
  globalThis.fetch = (input, init) => {
    const header = new Headers(init?.headers).get(REQUEST_AUTH_HEADER)
    if (header !== null) attempted.add(decodeRequestAuthHeader(header).auth.requestId)
    return plainFetch(input, init)
  }
  async function run({ stream, scheme }: (typeof CLIENTS)[number]): Promise<void> {
    let verified: Receipt | undefined
    const pay = assayFetch({
      network,
      privateKey,
      scheme,
      onAnswer: ({ bundle }) => {
        verified = bundle.receipt
      },
    })
    const body = JSON.stringify({
      model: network.models[0]?.name,
      messages: [{ role: 'user', content: 'Count to ten.' }],
      max_tokens: 6,
      stream,
    })
    while (!stopped) {
      verified = undefined
      try {
        const response = await pay(`${network.gatewayUrl}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          signal: AbortSignal.timeout(60_000),
        })
        await response.arrayBuffer()
        const receipt = verified as Receipt | undefined
        if (receipt !== undefined) delivered.set(receipt.requestId, receipt)
        else await delay(100)
      } catch {
        // The gateway is gone, or went in the middle of the answer.
        await delay(50)
      }
    }
  }
  const running = CLIENTS.map(run)
  return {
    attempted,
    delivered,
    async stop() {
      stopped = true
      await Promise.all(running)
      globalThis.fetch = plainFetch
    },
  }
}

async function healthy(network: Network): Promise<boolean> {
  const response = await fetch(`${network.gatewayUrl}/health`).catch(() => undefined)
  await response?.arrayBuffer().catch(() => undefined)
  return response?.status === 200
}

function gatewayPid(local: LocalNetwork): number | undefined {
  try {
    return local.pidOf('gateway')
  } catch {
    return undefined
  }
}

async function killAgainAndAgain(
  local: LocalNetwork,
  kills: number,
  progress: (done: number) => void,
): Promise<void> {
  let last: number | undefined
  for (let done = 1; done <= kills; done++) {
    let pid: number | undefined
    await until(
      async () => {
        pid = gatewayPid(local)
        return pid !== undefined && pid !== last
      },
      () => 'the supervisor to start the gateway again',
    )
    if (done % EARLY_KILLS !== 0) {
      await until(
        () => healthy(local.network),
        () => `the gateway to be healthy:\n${local.logOf('gateway').slice(-2000)}`,
      )
    }
    await delay(Math.random() * MAX_LIFE)
    process.kill(pid as number, 'SIGKILL')
    last = pid
    progress(done)
  }
  await until(
    async () => gatewayPid(local) !== last && (await healthy(local.network)),
    () => 'the gateway to be healthy after the last kill',
  )
}

/** Starts a network, runs the load, kills the gateway `kills` times, lets everything settle, and compares. */
export async function runCampaign(
  kills: number,
  progress: (done: number) => void = () => {},
): Promise<CampaignResult> {
  const local = await createLocalNetwork({ ASSAY_RESTART_CEILING: '500' })
  try {
    return await campaignOn(local, kills, progress)
  } finally {
    await local.close()
  }
}

async function campaignOn(
  local: LocalNetwork,
  kills: number,
  progress: (done: number) => void,
): Promise<CampaignResult> {
  const { network } = local
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  const began = Date.now()
  const before = await moneyOf(network, demo.address)
  const load = startLoad(network, demo.privateKey)
  try {
    await killAgainAndAgain(local, kills, progress)
    // Answers of the last life as well.
    await delay(1000)
  } finally {
    await load.stop()
  }
  const { attempted, delivered } = load
  const statuses = await drain(network, attempted)
  const recovered = local
    .logOf('gateway')
    .split('\n')
    .filter((line) => line.includes('receipt_recovered'))
  const { broken, ...verdict } = judge({
    spending: await spendingSince(network, demo.address, before),
    attempted,
    delivered: new Map([...delivered].map(([requestId, receipt]) => [requestId, [receipt]])),
    withoutReceipt: [],
    statuses,
    recovered: (requestId) => recovered.some((line) => line.includes(requestId)),
  })
  return {
    kills,
    attempted: attempted.size,
    delivered: delivered.size,
    ...verdict,
    seconds: Math.round((Date.now() - began) / 1000),
    broken: broken.map(({ what }) => what),
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } })
  const result = await runCampaign(Number(values.kills), (done) => {
    if (done % 10 === 0) console.log(`${done} kills`)
  })
  const { broken, ...counts } = result
  for (const [name, value] of Object.entries(counts)) console.log(`${name}: ${value}`)
  for (const line of broken) console.log(`broken: ${line}`)
  console.log(broken.length === 0 ? 'every promise held' : `${broken.length} promises broken`)
  process.exitCode = broken.length === 0 ? 0 : 1
}
