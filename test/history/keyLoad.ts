import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Receipt } from '@assay/protocol'
import type { Random } from '../attempts/random.ts'
import type { History } from './history.ts'
import { CALL_TIMEOUT_MS } from './load.ts'
import { readAnswer } from './readAnswer.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** Each has a gateway that it asks until a call fails there, then the next; all have the one key. */
const CLIENTS = 6
/** One call in so many that have a name is sent a second time under it, to any gateway. */
const DUPLICATES = 3
/** Pause after a call that was refused or broke. */
const BREATH_MS = 300

export type KeyLoad = {
  /** Receipts of whole answers, by the name of their call, or by a number where it has none. */
  answered: ReadonlyMap<string, readonly Receipt[]>
  /** Whole answers that came with status 200 and without a receipt. */
  withoutReceipt: readonly string[]
  /** How often each thing came of a call. */
  outcomes: Map<string, number>
  /** Calls that went out. */
  calls(): number
  stop(): Promise<void>
}

/**
 * Clients that send nothing but an API key, as a stock client does: a call has no id before it is answered, so what
 * becomes of one that breaks is seen in what its deposit pays for.
 */
export function startKeyLoad(world: World, random: Random, history: History): KeyLoad {
  const answered = new Map<string, Receipt[]>()
  const withoutReceipt: string[] = []
  const outcomes = new Map<string, number>()
  const late: Promise<void>[] = []
  let calls = 0
  let stopped = false

  function count(what: string): void {
    const outcome = `by key: ${what}`
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }

  /** @returns whether it was answered */
  async function call(gateway: Server, body: string, name: string | undefined): Promise<boolean> {
    const number = ++calls
    const known = name ?? `call ${number}`
    const began = performance.now()
    try {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${world.key.secret}`,
          ...(name === undefined ? {} : { 'idempotency-key': name }),
        },
        body,
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      })
      const { what, receipt, isWhole } = await readAnswer(response)
      count(what)
      if (receipt === undefined) {
        if (isWhole) withoutReceipt.push(known)
        return false
      }
      answered.set(known, [...(answered.get(known) ?? []), receipt])
      const seconds = ((performance.now() - began) / 1000).toFixed(3)
      history.note('an answer by key is complete', receipt.requestId, `${gateway.name}, after ${seconds} s`)
      return true
    } catch (error) {
      count('broke')
      history.note(`a call by key broke at ${gateway.name}`, undefined, String(error).slice(0, 160))
      return false
    }
  }

  async function run(first: number): Promise<void> {
    for (let at = first; !stopped; ) {
      const body = JSON.stringify({
        model: world.network.models[0]?.name,
        messages: [{ role: 'user', content: 'Count to four.' }],
        max_tokens: 8,
        stream: random.chance(0.5),
      })
      const name = random.chance(0.5) ? randomUUID() : undefined
      if (name !== undefined && random.below(DUPLICATES) === 0) {
        const other = random.pick(world.gateways)
        const after = random.below(2000)
        late.push(delay(after).then(() => void call(other, body, name)))
      }
      const gateway = world.gateways[at % world.gateways.length] as Server
      if (await call(gateway, body, name)) continue
      at++
      await delay(BREATH_MS)
    }
  }
  const running = Array.from({ length: CLIENTS }, (_, at) => run(at))
  return {
    answered,
    withoutReceipt,
    outcomes,
    calls: () => calls,
    async stop() {
      stopped = true
      await Promise.all(running)
      await Promise.all(late)
    },
  }
}
