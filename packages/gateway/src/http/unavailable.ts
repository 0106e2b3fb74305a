import { isChainAway } from '@assay/chain'
import { AssayError } from '@assay/protocol'
import type { DialectError } from './dialectError.ts'

/**
 * What a client hears while the database or the chain is away or full of work; undefined for any other error. It is met
 * before a node has done any work, so the same payment may be sent again, here or to another gateway.
 */
export function unavailable(error: unknown): DialectError | undefined {
  const known = isStoreAway(error) ? STORE : isChainAway(error) ? CHAIN : undefined
  return known && { status: 503, type: 'server_error', headers: { 'retry-after': '1' }, ...known }
}

const STORE = {
  code: 'store_unavailable',
  message: 'The gateway cannot write down requests right now. Nothing is charged; try again in a second.',
}
const CHAIN = {
  code: 'chain_unavailable',
  message: 'The gateway cannot read the chain right now. Nothing is charged; try again in a second.',
}

/** Only our store speaks of itself in these terms where requests are answered. */
function isStoreAway(error: unknown): boolean {
  return error instanceof AssayError && error.code === 'unreachable'
}
