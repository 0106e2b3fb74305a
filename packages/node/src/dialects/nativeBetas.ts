import { type Fields, nameOf } from './fields.ts'
import { isPart, type Part, partsIn, partsOfMessages } from './nativeParts.ts'
import { refuse } from './refusal.ts'

/**
 * Betas of Anthropic's that leave the price of a token as it is, without their dates. Those that come with tools that
 * run there, or with members that are held back, do nothing without them.
 */
const PLAIN = new Set([
  ...['advanced-tool-use', 'claude-code', 'computer-use', 'context-management', 'dev-full-thinking'],
  ...['effort', 'extended-cache-ttl', 'fine-grained-tool-streaming', 'interleaved-thinking'],
  ...['mid-conversation-system', 'model-context-window-exceeded', 'output-128k', 'pdfs'],
  ...['prompt-caching', 'prompt-caching-scope', 'structured-outputs', 'task-budgets'],
  ...['token-counting', 'token-efficient-tools'],
])
/** The one of these that changes an answer by itself: it asks for a stop reason of its own. */
const OWN_STOP_REASON = 'model-context-window-exceeded'
/** Once the beta that a cache of an hour wanted, and still the name under which an operator allows it. */
const LONG_CACHE = 'extended-cache-ttl-2025-04-11'

const betasIn = (headers: Record<string, string>): string[] =>
  (headers['anthropic-beta'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
const undated = (beta: string): string => beta.replace(/-\d{4}-?\d{2}-?\d{2}$/, '')

/**
 * For engines that read the body themselves. Anthropic's clients name betas without being told to (of their tool runner,
 * of counting, of parsing), and most of them only open a member of the body, which is done or refused by its own name.
 * @throws Refusal for every other
 */
export function mustOnlyOpenMembers(headers: Record<string, string>): void {
  for (const beta of betasIn(headers)) {
    const name = undated(beta)
    if (PLAIN.has(name) && name !== OWN_STOP_REASON) continue
    refuse(
      `\`anthropic-beta\`: this model has nothing of ${nameOf(beta)}; leave it out.`,
      'anthropic-beta',
      'unsupported_parameter',
    )
  }
}

/**
 * Refuses what makes Anthropic's tokens cost more than a receipt counts, unless the operator has priced it in: a cache
 * that is kept for an hour costs twice the input, and a beta may buy anything (a longer context at a higher price,
 * summaries that stand in no total). @throws Refusal
 */
export function mustKeepThePrice(
  fields: Fields,
  headers: Record<string, string>,
  priced: ReadonlySet<string> = new Set(),
): void {
  for (const beta of betasIn(headers)) {
    if (priced.has(beta) || PLAIN.has(undated(beta))) continue
    refuse(
      `\`anthropic-beta\`: ${nameOf(beta)} may cost more than this model's price covers; leave it out.`,
      'anthropic-beta',
      'unsupported_value',
    )
  }
  if (priced.has(LONG_CACHE)) return
  // The request's own marks its last part that can be cached.
  const parts: [place: string, part: Part][] = [
    ['', fields],
    ...partsIn(fields.tools, 'tools'),
    ...partsIn(fields.system, 'system'),
    ...partsOfMessages(fields.messages),
  ]
  for (const [place, { cache_control: cache }] of parts) {
    if (!isPart(cache) || cache.ttl === undefined || cache.ttl === null || cache.ttl === '5m') continue
    const param = `${place === '' ? '' : `${place}.`}cache_control.ttl`
    refuse(
      `\`${param}\` can only be 5m: this model's price covers no longer cache.`,
      param,
      'unsupported_value',
    )
  }
}
