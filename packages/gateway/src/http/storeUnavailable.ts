import { AssayError } from '@assay/protocol'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'
import { RefusedError } from './dialectError.ts'

/** What a client hears while the database is away or full of work; any other error goes on as it is. */
export function storeUnavailable(
  { log, metrics }: Pick<Context, 'log' | 'metrics'>,
  error: unknown,
): unknown {
  if (!(error instanceof AssayError) || error.code !== 'unreachable') return error
  metrics.count('refused_total', 'store_unavailable')
  log('store_unavailable', { doing: 'request', why: messageOf(error) })
  return new RefusedError({
    status: 503,
    message: 'The gateway cannot write down requests right now. Nothing is charged; try again in a second.',
    type: 'server_error',
    code: 'store_unavailable',
    headers: { 'retry-after': '1' },
  })
}
