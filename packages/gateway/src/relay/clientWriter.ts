import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** The client went away, or stopped reading for too long. */
export class ClientGoneError extends Error {}

/**
 * Sends the head of a stream at once, together with the bytes that are here already: it is the writes, not what is
 * written, that take the time.
 */
export function writeStreamHead(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
): void {
  const { socket } = response
  socket?.cork()
  response.writeHead(status, headers)
  response.flushHeaders()
  setImmediate(() => socket?.uncork())
}

/** Sends what was written since the head at once: what comes next takes its time. */
export function sendWritten({ socket }: ServerResponse): void {
  socket?.uncork()
}

/** Writes and, where the client reads slower than the node speaks, waits for it. @throws ClientGoneError */
export async function writeToClient(
  response: ServerResponse,
  bytes: Uint8Array,
  stallMs: number,
): Promise<void> {
  if (bytes.length === 0) return
  if (response.destroyed || response.writableEnded) throw new ClientGoneError('The client disconnected.')
  if (response.write(bytes)) return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => finish(new ClientGoneError('The client stopped reading.')), stallMs)
    const onDrain = (): void => finish()
    const onClose = (): void => finish(new ClientGoneError('The client disconnected.'))
    function finish(error?: Error): void {
      clearTimeout(timer)
      response.off('drain', onDrain)
      response.off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    response.once('drain', onDrain)
    response.once('close', onClose)
  })
}
