import type { AnswerEvent } from '../engine.ts'
import { idWithSignature } from './signedCall.ts'

/** A piece of a call as OpenAI's streams have it, and Google's. */
export type CallDelta = {
  index?: unknown
  id?: unknown
  function?: { name?: unknown; arguments?: unknown }
  extra_content?: { google?: { thought_signature?: unknown } | null } | null
}

type Call = {
  /** Its index at the upstream. */
  theirs: unknown
  id: string
  name: string
  signature: string | undefined
  /** Arguments so far, and how much of them has gone out. */
  text: string
  told: number
  begun: boolean
  /** Length at which the arguments were last looked at, and whether they were whole. */
  seen: number
  whole: boolean
}

const filled = (value: unknown): value is string => typeof value === 'string' && value !== ''

/**
 * Reads the calls of one answer. Upstreams may write several side by side; the other dialects know only one after
 * another, so what belongs to a later call waits until the one before it is whole.
 */
export function createCallReader(): {
  read: (delta: CallDelta) => AnswerEvent[]
  /** Whether words may follow here; false while the call that is being told waits for the rest of its arguments. */
  settle: () => boolean
  /** What waited, at the end. @param cut the limit ended the answer: the last call may lack its arguments */
  end: (cut: boolean) => AnswerEvent[]
  /** Calls begun so far. */
  count: () => number
} {
  const calls: Call[] = []
  /** The call that is being told. */
  let open = 0

  /**
   * Pieces name their call by its index; some servers give all the same, but each an id. Where that is missing too, a
   * name after whole arguments begins another call.
   */
  function callOf({ index, id, function: target, extra_content: extra }: CallDelta): Call {
    const known = calls.findLast((call) => (filled(id) ? call.id === id : call.theirs === index))
    const isAnother = !filled(id) && filled(target?.name) && known !== undefined && isWhole(known)
    if (known !== undefined && !isAnother) return known
    const signature = extra?.google?.thought_signature
    const call: Call = {
      theirs: index,
      id: filled(id) ? id : `call_${calls.length}`,
      name: typeof target?.name === 'string' ? target.name : '',
      // It comes with the call's name: Google writes each call in one piece.
      signature: filled(signature) ? signature : undefined,
      ...{ text: '', told: 0, begun: false, seen: 0, whole: false },
    }
    calls.push(call)
    return call
  }

  function tell(isDone: (call: Call) => boolean): AnswerEvent[] {
    const events: AnswerEvent[] = []
    for (let call = calls[open]; call !== undefined; call = calls[++open]) {
      const { name } = call
      if (!call.begun) {
        events.push({ type: 'tool', choice: 0, index: open, id: idWithSignature(call), name })
      }
      call.begun = true
      const text = call.text.slice(call.told)
      if (text !== '') events.push({ type: 'arguments', choice: 0, index: open, text })
      call.told = call.text.length
      if (!isDone(call)) break
    }
    return events
  }

  return {
    read(delta) {
      const call = callOf(delta)
      if (filled(delta.function?.arguments)) call.text += delta.function.arguments
      return tell((told) => open + 1 < calls.length && isWhole(told))
    },
    settle() {
      const call = calls[open]
      if (call === undefined) return true
      if (!isWhole(call)) return false
      // Nothing but blanks can follow whole arguments; they would have to go back behind the words.
      open++
      return true
    },
    end(cut) {
      // A call without arguments is an empty object to clients of the other dialects.
      if (!cut) for (const call of calls) call.text ||= '{}'
      return tell(() => true)
    },
    count: () => calls.length,
  }
}

function isWhole(call: Call): boolean {
  if (call.seen !== call.text.length) {
    call.seen = call.text.length
    call.whole = isJson(call.text)
  }
  return call.whole
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
