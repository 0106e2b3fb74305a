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
