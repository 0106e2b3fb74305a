import type { IncomingMessage, ServerResponse } from 'node:http'

/** A request as it came in, untouched. */
export type RawRequest = {
  method: string
  /** Request target: path and query. */
  path: string
  /** Name and value in order of arrival, as received. */
  headers: ReadonlyArray<readonly [string, string]>
  body: Uint8Array
}

/** Value of the first header of a name. @param name in lower case */
export function headerOf(request: RawRequest, name: string): string | undefined {
  return request.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1]
}

/** A request as it arrived, which is what its receipt covers. */
export function rawRequestOf(incoming: IncomingMessage, body: unknown): RawRequest {
  const headers: Array<readonly [string, string]> = []
  const { rawHeaders } = incoming
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.push([rawHeaders[at] as string, rawHeaders[at + 1] as string])
  }
  return {
    method: (incoming.method ?? 'POST').toUpperCase(),
    path: incoming.url ?? '/',
    headers,
    body: body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array(0),
  }
}

/** Aborts when the client closed its side before the answer was complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new Error('the client left'))
  })
  if (response.destroyed) controller.abort(new Error('the client left'))
  return controller.signal
}
