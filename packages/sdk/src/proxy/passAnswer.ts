import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { errorEvent } from '@assay/protocol'
import { asDialectError } from '../asDialectError.ts'
import { SdkError } from '../errors.ts'
import { readBounded } from '../limits.ts'
import type { ProxyCall } from './startProxy.ts'

/**
 * Says how far an answer was checked: `true`, and nothing else, means that the node's signature over exactly these bytes
 * holds. A stream's head goes out before its end is known, so it says `pending`, and the comment line before its terminal
 * event says `true`; a stream that does not verify has no terminal event but an error.
 */
const VERIFIED_HEADER = 'x-assay-verified'
const VERIFIED_COMMENT = new TextEncoder().encode(`: ${VERIFIED_HEADER} true\n`)
/** The same claim in a comment of the gateway's, as loosely as anybody may read it. */
const CLAIM = new RegExp(`^:[ \\t]*${VERIFIED_HEADER}.*\n`, 'gim')

/** Of one connection only, of an encoding that is undone by now, or a word that is this proxy's alone. */
const DROPPED = new Set([
  VERIFIED_HEADER,
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'content-encoding',
])

type Passing = {
  path: string
  call: ProxyCall
  signal: AbortSignal
  buffer: boolean
  /** Whether what is asked for is checked at all; of anything else nothing is claimed, whatever it calls itself. */
  isChecked: boolean
}

/** Hands an answer on, as it comes; `call.answer` is set from the moment it is verified. */
export async function passAnswer(
  answer: Response,
  response: ServerResponse,
  passing: Passing,
): Promise<void> {
  const isStream = (answer.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
  if (passing.isChecked && isStream && answer.ok && answer.body !== null)
    return passStream(answer, answer.body, response, passing)
  const body = await readBounded(answer, 'gateway_error')
  response.writeHead(answer.status, {
    ...headersOf(answer),
    'content-length': body.length,
    ...(passing.call.answer === undefined ? {} : { [VERIFIED_HEADER]: 'true' }),
  })
  response.end(body)
}

async function passStream(
  answer: Response,
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
  { path, call, signal, buffer }: Passing,
): Promise<void> {
  const head = (verified: string) =>
    response.writeHead(answer.status, { ...headersOf(answer), [VERIFIED_HEADER]: verified })
  if (!buffer) {
    head('pending')
    response.flushHeaders()
  }
  let noted = false
  try {
    for await (const chunk of body) {
      // A buffering guard gives nothing before the check, so its head can say the truth.
      if (!response.headersSent) head('true')
      // The guard cuts between events, and gives the terminal one only behind the check.
      if (call.answer !== undefined && !noted) {
        noted = true
        response.write(VERIFIED_COMMENT)
      }
      if (!response.write(withoutClaims(chunk))) await once(response, 'drain', { signal })
    }
    response.end()
  } catch (error) {
    if (signal.aborted || !response.headersSent) throw error
    call.failure = error instanceof SdkError ? error.code : 'internal_error'
    // The blank line closes whatever event the break cut in two.
    response.end(`\n\n${errorEvent(asDialectError(error), path)}`)
  }
}

/** Comments are signed by nobody, and a chunk is of whole lines. Latin-1 keeps every byte as it is. */
function withoutClaims(chunk: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(chunk).toString('latin1').replace(CLAIM, ''), 'latin1')
}

function headersOf(answer: Response): Record<string, string> {
  const kept = [...answer.headers].filter(
    ([name]) => !DROPPED.has(name) && !name.startsWith('access-control-'),
  )
  return Object.fromEntries(kept)
}
