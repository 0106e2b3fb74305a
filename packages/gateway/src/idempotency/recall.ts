import { REPLAYED_HEADER } from '@assay/protocol'
import type { AnswerName, KeptAnswer } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'

/**
 * Takes the client's name for this request, or finds the answer that was given under it.
 * @returns the answer to give again; undefined for a request that is to be answered now
 * @throws RefusedError 409 where another request has the name, this one is being answered, or its answer is gone
 */
export async function recall(
  context: Context,
  name: AnswerName,
  request: { requestHash: Hex; requestId: Hex | undefined },
): Promise<KeptAnswer | undefined> {
  const { keepAnswersSeconds: keepSeconds } = context.limits
  const recalled = await context.names.take(name, { ...request, keepSeconds })
  switch (recalled.what) {
    case 'new':
      return undefined
    case 'kept':
      context.metrics.count('answers_total', 'replayed')
      return { ...recalled.answer, headers: { ...recalled.answer.headers, [REPLAYED_HEADER]: 'true' } }
    case 'other':
      throw conflict(context, {
        code: 'idempotency_key_reused',
        message: `Another request was sent under this key within the last ${keepSeconds} s. Use a new key for a new request.`,
        headers: { 'x-should-retry': 'false' },
      })
    case 'running':
      throw conflict(context, {
        code: 'request_in_progress',
        message: 'This request is being answered. Ask again in a second for its answer.',
        headers: { 'x-should-retry': 'true', 'retry-after': '1' },
      })
    case 'not_kept':
      throw conflict(context, {
        code: 'answer_not_kept',
        message: `This request was answered, but its answer was too long to keep, cut off by its client, or had to make room. Its receipt is at GET /v1/receipts/${recalled.requestId}.`,
        headers: { 'x-should-retry': 'false', 'x-assay-request-id': recalled.requestId },
      })
  }
}

function conflict(
  context: Context,
  error: Pick<DialectError, 'code' | 'message'> & { headers: Record<string, string> },
): RefusedError {
  context.metrics.count('refused_total', error.code)
  return new RefusedError({ status: 409, type: 'invalid_request_error', ...error })
}
