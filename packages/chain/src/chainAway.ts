import { AssayError } from '@assay/protocol'
import { BaseError, HttpRequestError, RpcRequestError, TimeoutError } from 'viem'

/** Whether an error says that the chain did not answer, or could not now, and nothing about what it was asked. */
export function isChainAway(error: unknown): boolean {
  return (
    error instanceof BaseError &&
    error.walk(
      (cause) =>
        cause instanceof HttpRequestError ||
        cause instanceof TimeoutError ||
        cause instanceof RpcRequestError,
    ) !== null
  )
}

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
