import type { Network } from '@assay/protocol'

/** How long a gateway may take to hand the wish on, milliseconds. */
const STOP_TIMEOUT_MS = 5_000

/**
 * Asks for a running answer to end where it is, so that its end still comes with its receipt. Who knows the id of a
 * running request is its caller; it becomes public with the receipt only.
 * @returns whether the wish was taken up
 */
export async function stopRequest(network: Network, requestId: string | null): Promise<boolean> {
  if (requestId === null) return false
  const url = new URL(`/v1/requests/${requestId}/stop`, network.gatewayUrl)
  try {
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(STOP_TIMEOUT_MS),
    })
    void answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}
