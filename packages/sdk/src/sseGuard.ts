import { concatBytes, decodeReceiptHeader, RECEIPT_COMMENT, type SignedReceipt } from '@assay/protocol'
import { SdkError } from './errors.ts'
import { MAX_BODY_BYTES, MAX_LINE_BYTES } from './limits.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const COLON = 0x3a

export type SseGuardOptions = {
  /** Checks the whole signed body; rejects to withhold completion. */
  verify(body: Uint8Array, signed: SignedReceipt): Promise<void>
  /** What a connection that breaks under the stream is called; by default as it comes. */
  broken?: ((cause: unknown) => SdkError) | undefined
  /** Of the call, where it is known: an error says by it where to look. */
  requestId?: string | undefined
  /** Hold all content back until the answer is verified. */
  buffer: boolean
  /** The caller's. An abort ends the stream for the caller, as a cancel does. */
  signal?: AbortSignal | undefined
  /** Asks the node to end the answer where it is; false where nobody took that up. */
  stop?: (() => Promise<boolean>) | undefined
  /** Told where a stream that was left could not be verified to its end. */
  onUnverified?: ((error: SdkError) => void) | undefined
  /** Told where a stream fails that nobody left, whether or not its reader comes to see that. */
  onFailed?: ((error: unknown) => void) | undefined
}

/** How long the end of a stream that was left is waited for, milliseconds. */
const TAIL_TIMEOUT_MS = 30_000
/**
 * The same where nobody takes up the wish to stop. Mostly that is so because the model was faster than the reader: then
 * the end has long been on its way. Else the model goes on, and this is how long it is paid for.
 */
const OVER_TIMEOUT_MS = 1_000

/**
 * Passes an event stream through event by event and withholds its terminal event until the answer is verified: a reader
 * either sees a stream that ends after a passed check, or an error, never an unverified end. Bytes behind the
 * terminal event are covered by no signature and are dropped.
 *
 * A reader that leaves does not skip the check: the node is asked to stop, and what it had said till then is read on,
 * unseen, to its signed end. Only where nobody can ask it to, and the end is not there either, does the connection simply
 * break, which stops it too.
 *
 * Comment lines are not part of the signed body (docs/spec.md §2); they pass, except that after the receipt comment
 * nothing passes before the check. What ends a stream is judged as clients judge it, by the data of a whole event
 * however it is spaced or split into lines, or a gateway could end it for the client and not for us.
 */
export function sseGuard(
  source: ReadableStream<Uint8Array>,
  options: SseGuardOptions,
): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  const signedLines: Uint8Array[] = []
  const held: Uint8Array[] = []
  let partial: Uint8Array[] = []
  let partialBytes = 0
  let total = 0
  let receipt: SignedReceipt | undefined
  /** Lines of the event that is being received. */
  let event: Uint8Array[] = []
  let ended = false

  /** Takes one line with its line feed; returns what may be shown now. */
  function take(line: Uint8Array): Uint8Array[] {
    if (line.includes(CARRIAGE_RETURN)) throw otherLineEnds()
    if (line[0] === COLON) {
      const text = new TextDecoder().decode(line.subarray(0, -1))
      if (!text.startsWith(RECEIPT_COMMENT)) return options.buffer || receipt !== undefined ? [] : [line]
      receipt = decodeReceipt(text.slice(RECEIPT_COMMENT.length))
      held.push(line)
      return []
    }
    signedLines.push(line)
    event.push(line)
    // A client acts on an event at the blank line behind it.
    if (line.length > 1) return []
    const whole = event
    event = []
    ended = isTerminal(whole, receipt !== undefined)
    if (!options.buffer && receipt === undefined && !ended) return whole
    held.push(...whole)
    return []
  }

  /** Reads on until something may be shown. @returns the end with `ended` */
  async function next(): Promise<Uint8Array> {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw options.broken?.(cause) ?? cause
      })
      if (done) throw incomplete(options.requestId)
      total += value.length
      if (total > MAX_BODY_BYTES) throw tooLarge()
      const shown: Uint8Array[] = []
      let start = 0
      for (let end = value.indexOf(LINE_FEED); end !== -1 && !ended; end = value.indexOf(LINE_FEED, start)) {
        const line = concatBytes([...partial, value.subarray(start, end + 1)])
        partial = []
        partialBytes = 0
        start = end + 1
        shown.push(...take(line))
      }
      if (ended) {
        if (receipt === undefined) throw receiptMissing()
        await options.verify(concatBytes(signedLines), receipt)
        void reader.cancel().catch(() => undefined)
        return concatBytes([...shown, ...held])
      }
      if (start < value.length) {
        partial.push(value.subarray(start))
        partialBytes += value.length - start
        if (partialBytes > MAX_LINE_BYTES) throw tooLarge()
      }
      if (shown.length > 0) return concatBytes(shown)
    }
  }

  /** What a reader's leaving sets off; it is told of nothing any more. */
  async function readTail(): Promise<void> {
    if (finished) return
    finished = true
    const stopped = ended || (await options.stop?.().catch(() => false)) === true
    let waitedInVain = false
    const timer = setTimeout(
      () => {
        waitedInVain = true
        void reader.cancel().catch(() => undefined)
      },
      stopped ? TAIL_TIMEOUT_MS : OVER_TIMEOUT_MS,
    )
    try {
      // One read may be under way; two at once would mix the stream up.
      await pulling
      while (!ended) await next()
    } catch (cause) {
      const reason = waitedInVain && !stopped ? notStopped() : cause
      options.onUnverified?.(leftUnverified(reason, options.requestId))
    } finally {
      clearTimeout(timer)
      void reader.cancel().catch(() => undefined)
    }
  }

  let finished = false
  let pulling: Promise<unknown> | undefined
  return new ReadableStream<Uint8Array>({
    start(controller) {
      options.signal?.addEventListener(
        'abort',
        () => {
          if (finished) return
          controller.error(options.signal?.reason)
          void readTail()
        },
        { once: true },
      )
    },
    async pull(controller) {
      const turn = next()
      pulling = turn
      try {
        const shown = await turn
        if (finished) return
        controller.enqueue(shown)
        if (!ended) return
        finished = true
        controller.close()
      } catch (error) {
        void reader.cancel().catch(() => undefined)
        if (finished) return
        finished = true
        options.onFailed?.(error)
        controller.error(error)
      }
    },
    // Not awaited: who leaves is not kept waiting for what he does not want to see.
    cancel: () => void readTail(),
  })
}

/** Types of the events that end an answer: Anthropic's, and those of OpenAI's responses (docs/spec.md §2). */
const TERMINAL_TYPES = new Set([
  'message_stop',
  'response.completed',
  'response.incomplete',
  'response.failed',
])

/**
 * Whether an event ends the answer for a client.
 * @param behindReceipt an `error` ends it too, where the node signed for it; without a receipt it is the gateway's own
 * and passes as an error answer does.
 */
function isTerminal(lines: readonly Uint8Array[], behindReceipt: boolean): boolean {
  const decoder = new TextDecoder()
  const data = lines
    .map((line) => decoder.decode(line.subarray(0, -1)))
    .flatMap((line) =>
      line === 'data' ? [''] : line.startsWith('data:') ? [line.slice(5).replace(/^ /, '')] : [],
    )
    .join('\n')
  if (data.trimStart().startsWith('[DONE]')) return true
  try {
    const { type } = JSON.parse(data) as { type?: unknown }
    return typeof type === 'string' && (TERMINAL_TYPES.has(type) || (type === 'error' && behindReceipt))
  } catch {
    return false
  }
}

function decodeReceipt(text: string): SignedReceipt {
  try {
    return decodeReceiptHeader(text)
  } catch (cause) {
    throw new SdkError('The receipt in the stream cannot be read; its end is withheld.', {
      code: 'verification_failed',
      next: 'Do not use this answer. Ask another gateway.',
      cause,
    })
  }
}

function otherLineEnds(): SdkError {
  return new SdkError('The stream has carriage returns between its lines, which no node writes.', {
    code: 'verification_failed',
    next: 'Do not use this answer. Ask another gateway.',
  })
}

function incomplete(requestId: string | undefined): SdkError {
  return new SdkError('The stream ended before its receipt and terminal event.', {
    code: 'receipt_missing',
    facts: requestId === undefined ? {} : { requestId },
    next: `See whether it was charged before asking again: ${whereToLook(requestId)}`,
  })
}

function whereToLook(requestId: string | undefined): string {
  return requestId === undefined ? 'GET /v1/receipts/{x-assay-request-id}' : `assay verify ${requestId}`
}

function notStopped(): SdkError {
  return new SdkError('Nobody took up the wish to stop this answer.', { code: 'unreachable' })
}

function leftUnverified(cause: unknown, requestId: string | undefined): SdkError {
  return new SdkError('The stream was left, and what it had said could not be verified to its end.', {
    code: 'cancelled',
    facts: {
      reason: cause instanceof SdkError ? cause.shortMessage : String(cause),
      ...(requestId === undefined ? {} : { requestId }),
    },
    next: `Do not rely on the part that was seen. What was charged for it: ${whereToLook(requestId)}`,
    cause,
  })
}

function receiptMissing(): SdkError {
  return new SdkError('The stream carries no receipt, so nothing proves who answered.', {
    code: 'receipt_missing',
    next: 'Do not use this answer. Ask another gateway.',
  })
}

function tooLarge(): SdkError {
  return new SdkError('The answer is larger than this client accepts; its end is withheld.', {
    code: 'verification_failed',
    facts: { maxBytes: MAX_BODY_BYTES, maxLineBytes: MAX_LINE_BYTES },
  })
}
