import { type Receipt, STATUS } from '@assay/protocol'
import { messageOf } from '../log.ts'
import type { Exchange } from '../relay/exchange.ts'

/** Set anew on every answer. */
const NOT_KEPT = /^(access-control-|content-length$|date$|cache-control$)/

/**
 * Keeps an answer whose client named its request, before its receipt is recorded: an answer that is paid can then be
 * had again, and one that is not cannot. What its node calls a failure is no answer: sent again the request is done anew.
 * Not to be able to keep it costs the replay, never the answer.
 */
export async function keep(
  { context, expected, name }: Exchange,
  receipt: Receipt,
  status: number,
  headers: Record<string, string | string[]>,
  body: Uint8Array,
): Promise<void> {
  if (name === undefined || receipt.status === STATUS.failed) return
  if (body.length > context.limits.keepAnswerBytes) return
  const kept = Object.entries(headers).flatMap(([key, value]): [string, string][] =>
    NOT_KEPT.test(key.toLowerCase()) ? [] : [[key, String(value)]],
  )
  try {
    await context.names.keep(name, expected.requestId, {
      status,
      headers: Object.fromEntries(kept),
      body,
    })
  } catch (error) {
    context.log('keep_failed', { requestId: expected.requestId, why: messageOf(error) })
  }
}
