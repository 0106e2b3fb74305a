import {
  BinaryResponseReader,
  encapsulateRequest,
  encodeBinaryRequest,
  OHTTP_REQUEST_TYPE,
  OHTTP_RESPONSE_TYPE,
  type ResponseOpener,
} from '@assay/protocol'
import { SdkError } from './errors.ts'

/** Encrypts a request to the key of an enclave (RFC 9458); `open` reads its answer. */
export async function sealRequest(
  config: Uint8Array,
  request: { path: string; headers: Headers; body: Uint8Array },
): Promise<{
  body: Uint8Array<ArrayBuffer>
  contentType: string
  open: (answer: Response) => Promise<Response>
}> {
  const plain = encodeBinaryRequest({
    method: 'POST',
    scheme: 'https',
    // Not a name that anybody resolves: the key says who reads this.
    authority: 'enclave',
    path: request.path,
    headers: [...request.headers.entries()],
    body: request.body,
  })
  const { body, opener } = await encapsulateRequest(config, plain, 'chunked')
  return {
    body: Uint8Array.from(body),
    contentType: OHTTP_REQUEST_TYPE.chunked,
    open: (answer) => openAnswer(answer, opener),
  }
}

/** The answer inside, as an ordinary response whose body streams as its chunks arrive. */
async function openAnswer(answer: Response, opener: ResponseOpener): Promise<Response> {
  const type = (answer.headers.get('content-type') ?? '').toLowerCase()
  if (type !== OHTTP_RESPONSE_TYPE.chunked || answer.body === null) {
    // An error of the gateway's own; an answer in clear is no answer to what was encrypted.
    if (answer.status >= 400) return answer
    void answer.body?.cancel()
    throw new SdkError('The answer to an encrypted request came in clear; it is withheld.', {
      code: 'verification_failed',
      facts: { status: answer.status, contentType: type },
    })
  }
  const reader = new BinaryResponseReader()
  const source = plaintextOf(answer.body, opener, reader)
  const first = await source.next()
  const { head } = reader
  if (head === undefined) throw new Error('unreachable: the source yields nothing before the head')
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.done !== true && first.value.length > 0) controller.enqueue(first.value)
    },
    async pull(controller) {
      const next = first.done === true ? first : await source.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    async cancel() {
      await source.return()
    },
  })
  return new Response(body, {
    status: head.status,
    headers: head.headers.map(([name, value]) => [name, value]),
  })
}

/** Content as it can be read. The first value comes with the head, and may be empty. @throws SdkError */
async function* plaintextOf(
  sealed: ReadableStream<Uint8Array>,
  opener: ResponseOpener,
  reader: BinaryResponseReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  let started = false
  function* content(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
    if (reader.head !== undefined && !started) {
      started = true
      yield new Uint8Array(0)
    }
    for (const part of parts) if (part.length > 0) yield part
  }
  try {
    for await (const bytes of sealed) {
      for (const plain of await opener.push(bytes)) yield* content(reader.push(plain))
    }
    yield* content(reader.push(await opener.end()))
    yield* content([reader.end()])
  } catch (cause) {
    throw new SdkError('The encrypted answer was cut off or changed on its way; it is withheld.', {
      code: 'verification_failed',
      next: 'Ask again; the receipt says what was charged, if anything.',
      cause,
    })
  }
}
