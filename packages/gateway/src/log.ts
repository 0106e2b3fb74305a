/** One line of JSON an event on standard output; identities and numbers only, never contents, never secrets. */
export type Log = (
  event: string,
  facts?: Record<string, string | number | bigint | boolean | undefined>,
) => void

export const logToStdout: Log = (event, facts = {}) => {
  const line = JSON.stringify(
    { at: new Date().toISOString(), service: 'gateway', event, ...facts },
    (_, value) => (typeof value === 'bigint' ? value.toString() : value),
  )
  process.stdout.write(`${line}\n`)
}

/** The first line of whatever was thrown, short enough for a log. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('\n')[0] ?? '').slice(0, 300)
}
