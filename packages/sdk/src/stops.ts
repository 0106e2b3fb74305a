import type { Network } from '@assay/protocol'

/** How long a gateway may take to hand the wish on, milliseconds. */
const STOP_TIMEOUT_MS = 5_000
/** The wish of a caller that his answer end where it is (docs/dialects.md), and how many such wishes are remembered. */
const STOP_PATH = /^\/v1\/requests\/(0x[0-9a-f]{64})\/stop$/i
const STOPS_KEPT = 1_000

/** Which requests were ended early by whoever made them. */
export type Stops = {
  note(requestId: string): void
  /** The same for one that goes by as a call of its own. */
  noteCall(pathname: string): void
  take(requestId: string): boolean
}

export function createStops(): Stops {
  const noted = new Set<string>()
  function note(requestId: string): void {
    const [oldest] = noted
    if (noted.size >= STOPS_KEPT && oldest !== undefined) noted.delete(oldest)
    noted.add(requestId.toLowerCase())
  }
  return {
    note,
    noteCall(pathname) {
      const requestId = STOP_PATH.exec(pathname)?.[1]
      if (requestId !== undefined) note(requestId)
    },
    take: (requestId) => noted.delete(requestId.toLowerCase()),
  }
}

/**
 * Asks for a running answer to end where it is, so that its end still comes with its receipt. Who knows the id of a
 * running request is its caller; it becomes public with the receipt only.
 * @returns whether the wish was taken up
 */
export async function stopRequest(network: Network, requestId: string | undefined): Promise<boolean> {
  if (requestId === undefined) return false
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
