import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { DevelopmentAccount } from '@assay/chain'
import { decodeRequestAuthHeader, type Network, REQUEST_AUTH_HEADER, type Receipt } from '@assay/protocol'
import { assayFetch, type ChainReader, chainReaderOf, SdkError } from '@assay/sdk'
import type { Hex } from 'viem'
import type { Random } from '../attempts/random.ts'
import type { History } from './history.ts'
import { readAnswer } from './readAnswer.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** Each has a gateway that it asks first and an account that pays; a third of them wait at worst while one gateway is cut off. */
const CLIENTS = 48
/** One call in so many is sent a second time, to another gateway or the same. */
const DUPLICATES = 10
/** Longer than a gateway waits for anything: a client that leaves is another story. */
export const CALL_TIMEOUT_MS = 240_000
/** Pause of a client whose call was refused or broke. */
const BREATH_MS = 100

export type Load = {
  /** Ids of every payment that was sent. */
  attempted: Set<Hex>
  /** Receipts of whole answers; more than one where an answer was given again. */
  delivered: Map<Hex, Receipt[]>
  /** Whole answers that came with status 200 and without a receipt. */
  withoutReceipt: string[]
  /** How often each thing came of a call or of a duplicate. */
  outcomes: Map<string, number>
  duplicates(): number
  /** Paid calls that went out, duplicates among them. */
  calls(): number
  stop(): Promise<void>
}

/** Reads once what does not change while the campaign runs; what a receipt is checked against it reads each time. */
function steadyReader(network: Network): ChainReader {
  const chain = chainReaderOf(network)
  const once = <Argument, Value>(read: (argument: Argument) => Promise<Value>) => {
    const known = new Map<Argument, Promise<Value>>()
    return (argument: Argument): Promise<Value> => {
      const value = known.get(argument) ?? read(argument)
      known.set(argument, value)
      value.catch(() => known.delete(argument))
      return value
    }
  }
  return {
    ...chain,
    tillOf: once(chain.tillOf),
    priceOf: once(chain.priceOf),
    permit2Allowance: once(chain.permit2Allowance),
  }
}

/** Clients that ask one after another, each of its own gateway and of the others where that fails, and verify what they get. */
export function startLoad(world: World, random: Random, history: History): Load {
  const chain = steadyReader(world.network)
  const attempted = new Set<Hex>()
  const askedAt = new Map<Hex, string>()
  const delivered = new Map<Hex, Receipt[]>()
  const withoutReceipt: string[] = []
  const outcomes = new Map<string, number>()
  const late: Promise<void>[] = []
  let duplicates = 0
  let stopped = false

  function count(outcome: string): void {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  function deliver(receipt: Receipt, what: string): void {
    const { requestId } = receipt
    delivered.set(requestId, [...(delivered.get(requestId) ?? []), receipt])
    history.note(what, requestId)
  }

  function sendAgain(requestId: Hex, url: string, init: RequestInit): void {
    const other = random.pick(world.gateways)
    const after = random.chance(0.5) ? 0 : random.below(2000)
    duplicates += 1
    late.push(
      (async () => {
        await delay(after)
        const to = `${other.url}${new URL(url).pathname}`
        try {
          const signal = AbortSignal.timeout(CALL_TIMEOUT_MS)
          const answer = await readAnswer(await plainFetch(to, { ...init, signal }))
          count(`duplicate: ${answer.what}`)
          if (answer.receipt !== undefined)
            deliver(answer.receipt, `a duplicate was answered by ${other.name}`)
          else history.note(`a duplicate at ${other.name} got ${answer.what}`, requestId)
          if (answer.isWhole && answer.receipt === undefined) withoutReceipt.push(requestId)
        } catch (error) {
          count('duplicate: broke')
          history.note(`a duplicate at ${other.name} broke`, requestId, String(error).slice(0, 100))
        }
      })(),
    )
  }

  // The request's id is fixed by the payment, hence known before any answer; here is where it can be seen.
  const plainFetch = globalThis.fetch
  globalThis.fetch = (input, init) => {
    const header = new Headers(init?.headers).get(REQUEST_AUTH_HEADER)
    if (header !== null && init !== undefined) {
      const { requestId } = decodeRequestAuthHeader(header).auth
      attempted.add(requestId)
      askedAt.set(requestId, new URL(String(input)).origin)
      history.note('a paid call goes out', requestId, String(input).slice(0, 60))
      if (random.below(DUPLICATES) === 0) sendAgain(requestId, String(input), init)
    }
    return plainFetch(input, init)
  }

  async function run(gateway: Server, { privateKey }: DevelopmentAccount): Promise<void> {
    let verified: Receipt | undefined
    const onAnswer = ({ bundle }: { bundle: { receipt: Receipt } }) => {
      verified = bundle.receipt
    }
    const network = world.networkOf(gateway)
    const fallbacks = world.gateways.filter((other) => other !== gateway).map(world.networkOf)
    const common = { network, fallbacks, privateKey, chain, onAnswer }
    const ways = (['exact', 'upto'] as const).map((scheme) => assayFetch({ ...common, scheme }))
    while (!stopped) {
      verified = undefined
      const body = JSON.stringify({
        model: world.network.models[0]?.name,
        messages: [{ role: 'user', content: 'Count to four.' }],
        max_tokens: 8,
        stream: random.chance(0.5),
      })
      // Half of the calls have a name, so that their duplicates are to get the one answer again.
      const name: Record<string, string> = random.chance(0.5) ? { 'idempotency-key': randomUUID() } : {}
      try {
        const response = await random.pick(ways)(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...name },
          body,
          signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        })
        const answer = await readAnswer(response)
        const receipt = verified as Receipt | undefined
        if (receipt !== undefined) {
          const isHome = askedAt.get(receipt.requestId) === gateway.url
          count(isHome ? 'verified' : 'verified, of another gateway')
          deliver(receipt, `an answer is complete and verified`)
        } else {
          const requestId = response.headers.get('x-assay-request-id') ?? undefined
          count(answer.what)
          history.note(`a call got ${answer.what}`, requestId)
          if (response.status === 200) withoutReceipt.push(requestId ?? 'a call without an id')
          await delay(BREATH_MS)
        }
      } catch (error) {
        const code = error instanceof SdkError ? error.code : String(error).slice(0, 60)
        count(`broke: ${code}`)
        history.note(`a call broke`, undefined, String(error).slice(0, 160))
        await delay(BREATH_MS)
      }
    }
  }
  const { gateways, payers } = world
  // Four payers and three gateways: every pair of them occurs.
  const running = Array.from({ length: CLIENTS }, (_, at) =>
    run(gateways[at % gateways.length] as Server, payers[at % payers.length] as DevelopmentAccount),
  )
  return {
    attempted,
    delivered,
    withoutReceipt,
    outcomes,
    duplicates: () => duplicates,
    calls: () => attempted.size + duplicates,
    async stop() {
      stopped = true
      await Promise.all(running)
      await Promise.all(late)
      globalThis.fetch = plainFetch
    },
  }
}
