import type { FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'

/** How long a node may take to hear that it is to stop, milliseconds. */
const STOP_TIMEOUT_MS = 5_000

/**
 * A client that has heard enough of a stream, and still wants its end: the node stops the model there, and the stream
 * ends with its receipt. To break the connection stops the model too, but leaves what was said unverified. The id of a
 * running request is known to nobody but its caller and those who serve him; it becomes public with the receipt.
 */
export function stopRoute(server: FastifyInstance, context: Context): void {
  server.post<{ Params: { id: string } }>('/v1/requests/:id/stop', async (request, reply) => {
    const id = request.params.id.toLowerCase()
    const node = context.servedBy.get(id)
    const told = await node?.pool
      .request({
        method: 'POST',
        path: `/v1/requests/${id}/stop`,
        signal: AbortSignal.timeout(STOP_TIMEOUT_MS),
      })
      .then(async (answer) => {
        await answer.body.dump()
        return answer.statusCode === 202
      })
      .catch(() => false)
    if (told === true) return reply.code(202).send()
    throw new RefusedError({
      status: 404,
      message: 'No such request runs here, or its node cannot be told to stop.',
      type: 'invalid_request_error',
      code: 'not_found',
    })
  })
}
