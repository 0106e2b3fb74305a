/** Lines a second that refusals may take: anybody may be refused as often as he likes, and a log is a disk. */
const MAX_LINES_PER_SECOND = 50

/** Writes down what was refused under the id that its client was told, as far as there is room. */
export function createRefusalLines(
  log: (event: string, facts: Record<string, string | number>) => void,
): (id: string, refused: { code: string; status: number }) => void {
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  let unlogged = 0

  function hasRoom(): boolean {
    const now = performance.now()
    if (now - since >= 1000) {
      if (unlogged > 0) log('refusals_unlogged', { count: unlogged })
      since = now
      lines = 0
      unlogged = 0
    }
    if (lines < MAX_LINES_PER_SECOND) lines += 1
    else unlogged += 1
    return unlogged === 0
  }

  return (id, { code, status }) => {
    if (hasRoom()) log('refused', { id, status, code })
  }
}
