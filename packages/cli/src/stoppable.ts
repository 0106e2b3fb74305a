import { type CallParameters, type ChatStream, SdkError } from '@assay/sdk'
import type { Hex } from 'viem'
import { aborted, stopSignal } from './up/stopSignal.ts'

type VerifiedAnswer = Awaited<ChatStream['verified']>

/** What a call that can be stopped is made with. */
type Leaving = {
  /** For the call itself. */
  call: Required<Pick<CallParameters, 'signal' | 'onPaid' | 'onVerified'>> & { signal: AbortSignal }
  /** Tells of the stream that the call has begun: the end of one that is left is still waited for. */
  stream(stream: Pick<ChatStream, 'verified'>): void
}

type Watcher = {
  onVerified(): void
  /** Called when a stream is left, and its end is waited for. */
  onLeaving?(): void
  /** What was seen of a stream, as its output. */
  seen?(): unknown
}

/**
 * Makes a call that ^C ends as a client that leaves does, for killing this process would end neither the payment nor the
 * worry about it: a stream is stopped where it is and verified to there, and in any case it is said what became of the
 * money, or where that will be known. A second ^C ends the process at once.
 * @throws SdkError `cancelled` where it was stopped, with the answer where there is one, or what `work` throws
 */
export async function stoppable<Result>(
  { onVerified, onLeaving, seen }: Watcher,
  work: (leaving: Leaving) => Promise<Result>,
): Promise<Result> {
  const { signal: stop, dispose } = stopSignal()
  const leaving = new AbortController()
  // An error of this kind, for into those is put what was answered where only the wait behind it was left.
  const reason = new SdkError('Stopped.', { code: 'cancelled' })
  void aborted(stop).then(() => leaving.abort(reason))
  let paid: { requestId: Hex | undefined } | undefined
  let answer: VerifiedAnswer | undefined
  let verified: Promise<VerifiedAnswer> | undefined
  try {
    return await work({
      call: {
        signal: leaving.signal,
        onPaid(requestId) {
          paid = { requestId }
        },
        onVerified(known) {
          answer = known
          if (!leaving.signal.aborted) onVerified()
        },
      },
      stream(begun) {
        verified = begun.verified
      },
    })
  } catch (error) {
    if (!leaving.signal.aborted) throw error
    if (paid === undefined) throw new SdkError('Stopped before anything was paid.', { code: 'cancelled' })
    // Something else had gone wrong before, and says so.
    if (error !== reason && error instanceof SdkError) throw error
    if (answer !== undefined) throw stoppedBehind(answer, reason.answer?.output ?? seen?.())
    if (verified === undefined) throw notDecided(paid.requestId)
    onLeaving?.()
    throw stoppedWithin(await verified, seen?.())
  } finally {
    dispose()
  }
}

function stoppedWithin(answer: VerifiedAnswer, output: unknown): SdkError {
  return withAnswer(
    'Stopped. What was said till then is verified, and what was not shown of it too.',
    answer,
    output,
  )
}

function stoppedBehind(answer: VerifiedAnswer, output: unknown): SdkError {
  return withAnswer('Stopped behind the answer, which is whole and verified.', answer, output)
}

function withAnswer(message: string, { bundle }: VerifiedAnswer, output: unknown): SdkError {
  const { requestId } = bundle.receipt
  const error = new SdkError(message, {
    code: 'cancelled',
    facts: { requestId, verified: 'yes' },
    next: `It is paid for, and settled without you: assay verify ${requestId}`,
  })
  error.answer = { output, bundle }
  return error
}

/** The gateway looks for what the node signed for the part that it had done. */
function notDecided(requestId: Hex | undefined): SdkError {
  return new SdkError(
    'Stopped behind the payment, before an answer came: what it costs is not decided yet.',
    {
      code: 'cancelled',
      facts: { ...(requestId === undefined ? {} : { requestId }), verified: 'no, nothing was seen' },
      next:
        requestId === undefined
          ? 'Look at the calls of the grant: assay wallet grant show'
          : `See what became of it: assay wallet payment ${requestId}`,
    },
  )
}
