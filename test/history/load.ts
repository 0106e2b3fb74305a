import { setTimeout as delay } from 'node:timers/promises'
import { decodeRequestAuthHeader, RECEIPT_HEADER, REQUEST_AUTH_HEADER, type Receipt } from '@assay/protocol'
import { assayFetch } from '@assay/sdk'
import type { Hex } from 'viem'
import type { Random } from '../attempts/random.ts'
import type { History } from './history.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

const CLIENTS = 8
/** One call in so many is sent a second time, to another gateway or the same. */
const DUPLICATES = 10
/** Longer than a gateway waits for anything: a client that leaves is another story. */
const CALL_TIMEOUT_MS = 240_000

export type Load = {
  attempted: Set<Hex>
  /** Receipts of verified answers; more than one where an answer was given again. */
  delivered: Map<Hex, Receipt[]>
  duplicates: number
  /** Whole answers that came with status 200 and without a receipt. */
  withoutReceipt: string[]
  /** Calls that ended, with an answer or without. */
  calls(): number
  stop(): Promise<void>
}

/** Clients that ask one after another, each of a gateway of its choice, and verify what they get. */
export function startLoad(world: World, random: Random, history: History): Load {
  const { privateKey } = world.network.accounts.demo ?? {}
  if (privateKey === undefined) throw new Error('a development network has a demo account')
  const attempted = new Set<Hex>()
  const delivered = new Map<Hex, Receipt[]>()
  const withoutReceipt: string[] = []
  const late: Promise<void>[] = []
  let calls = 0
  let duplicates = 0
  let stopped = false

  function sendAgain(requestId: Hex, url: string, init: RequestInit): void {
    const other = random.pick(world.gateways)
    const after = random.chance(0.5) ? 0 : random.below(2000)
    duplicates += 1
    late.push(
      (async () => {
        await delay(after)
        const to = `${other.url}${new URL(url).pathname}`
        try {
          const response = await plainFetch(to, { ...init, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })
          const text = await response.text()
          history.note(`a duplicate at ${other.name} got ${response.status}`, requestId)
          const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
          const hasReceipt = isStream
            ? text.includes('assay-receipt') || !text.includes('data: [DONE]')
            : response.headers.has(RECEIPT_HEADER)
          if (response.status === 200 && !hasReceipt) withoutReceipt.push(requestId)
          if (response.status === 200 && (!isStream || text.includes('data: [DONE]'))) {
            history.note(`a duplicate was answered by ${other.name}`, requestId)
          }
        } catch (error) {
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
      history.note('a paid call goes out', requestId, String(input).slice(0, 60))
      if (random.below(DUPLICATES) === 0) sendAgain(requestId, String(input), init)
    }
    return plainFetch(input, init)
  }

  async function run(): Promise<void> {
    let verified: Receipt | undefined
    const clients = new Map<string, typeof fetch>()
    const clientOf = (gateway: Server, scheme: 'exact' | 'upto') => {
      const key = `${gateway.name} ${scheme}`
      const known = clients.get(key)
      if (known !== undefined) return known
      const onAnswer = ({ bundle }: { bundle: { receipt: Receipt } }) => {
        verified = bundle.receipt
      }
      const network = world.networkOf(gateway)
      const made = assayFetch({ network, privateKey, scheme, onAnswer })
      clients.set(key, made)
      return made
    }
    while (!stopped) {
      verified = undefined
      const gateway = random.pick(world.gateways)
      const call = clientOf(gateway, random.pick(['exact', 'upto']))
      const body = JSON.stringify({
        model: world.network.models[0]?.name,
        messages: [{ role: 'user', content: 'Count to four.' }],
        max_tokens: 8,
        stream: random.chance(0.5),
      })
      try {
        const response = await call(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        })
        const text = await response.text()
        const receipt = verified as Receipt | undefined
        if (receipt !== undefined) {
          delivered.set(receipt.requestId, [...(delivered.get(receipt.requestId) ?? []), receipt])
          history.note(`an answer of ${gateway.name} is complete and verified`, receipt.requestId)
        } else {
          const requestId = response.headers.get('x-assay-request-id') ?? undefined
          history.note(`${gateway.name} answered ${response.status}`, requestId, text.slice(0, 160))
          if (response.status === 200) withoutReceipt.push(requestId ?? 'a call without an id')
          await delay(50)
        }
      } catch (error) {
        history.note(`a call to ${gateway.name} broke`, undefined, String(error).slice(0, 160))
        await delay(50)
      }
      calls += 1
    }
  }
  const running = Array.from({ length: CLIENTS }, run)
  return {
    attempted,
    delivered,
    withoutReceipt,
    calls: () => calls + duplicates,
    get duplicates() {
      return duplicates
    },
    async stop() {
      stopped = true
      await Promise.all(running)
      await Promise.all(late)
      globalThis.fetch = plainFetch
    },
  }
}
