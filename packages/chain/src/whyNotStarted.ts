import { AssayError } from '@assay/protocol'
import { isChainAway } from './chainAway.ts'

/**
 * Why a server could not start: a mistake of its operator, or a chain that is away, in words, and a mistake of ours in a
 * stack trace. The errors of the chain's client are not passed on, for an RPC's address may hold a key.
 * @param server what is to be started again
 */
export function whyNotStarted(error: unknown, server: 'gateway' | 'node' | 'validator'): string {
  if (error instanceof AssayError) return error.message
  if (!isChainAway(error)) return (error as Error).stack ?? String(error)
  return `The chain does not answer.\nNext: check that the RPC which ASSAY_NETWORK names is up; start the ${server} again`
}
