import type { Row } from './row.ts'

export type Outcome = 'passed' | 'failed'

/** What the clients can do that the network, or the model that runs here, does not serve; each is refused by name. */
const GAPS: readonly string[] = [
  'openai, ai: responses are stateless (store: false), so previous_response_id and conversations are refused',
  'openai: audio, images, files, batches, fine-tuning, vector stores and the realtime API are not served',
  'anthropic: message batches, files and server-side tools are not served; prompt caching earns no discount',
  'a key under a grant or a proxy token is one secret for all models that it may use; no organisations or projects',
  'opengradient (TypeScript): the npm registry has no such package, so only the Python SDK is tried',
  'x402 (PyPI), @x402/fetch: OPG must be allowed once as a token that may be spent; upto needs a Permit2 approval',
]

/**
 * The table as text: a line a client and way, and under it what did not pass.
 * @param all how many rows there are, these among them
 */
export function describeTable(
  rows: readonly Row[],
  outcomes: ReadonlyMap<Row, Outcome>,
  all: number,
): string {
  const lines = new Map<string, Row[]>()
  for (const row of rows) {
    const client = `${row.client} ${row.version ?? '(not installed)'}`
    const key = row.client === 'examples' ? client : `${client.padEnd(42)} ${row.way}`
    lines.set(key, [...(lines.get(key) ?? []), row])
  }
  const described = [...lines].flatMap(([key, group]) => {
    const passed = group.filter((row) => outcomes.get(row) === 'passed').length
    const others = group.filter((row) => outcomes.get(row) !== 'passed')
    return [
      `  ${key.padEnd(62)} ${passed}/${group.length}`,
      ...others.map(
        (row) =>
          `      ${outcomes.get(row) ?? 'skipped'}: ${row.what}${row.skip === undefined ? '' : ` (${row.skip})`}`,
      ),
    ]
  })
  const slice = rows.length === all ? '' : ` (${rows.length} of ${all} rows; all: npm run test:clients)`
  return `clients, and how many of their rows passed${slice}\n${described.join('\n')}\ngaps\n${GAPS.map((gap) => `  ${gap}`).join('\n')}\n`
}
