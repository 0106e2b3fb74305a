import { EngineError, type NativeWork, type RunOptions, type Usage } from '../engine.ts'
import { type Exchange, readText, type UpstreamAnswer } from './exchange.ts'
import { generatedBytes } from './generatedText.ts'
import { createMeter } from './meter.ts'
import type { Target } from './providers.ts'
import { readSse } from './sseReader.ts'

const PATHS = {
  chat: '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
  messages: '/messages',
} as const

type NativeRoute = keyof typeof PATHS

/**
 * Passes a body on and its answer back, both as they are, but for the model's name and, in streams of OpenAI's, the
 * wish for usage that the receipt needs.
 */
export async function relayNative(exchange: Exchange, work: NativeWork, options: RunOptions): Promise<Usage> {
  const route = work.route as NativeRoute
  const meter = createMeter(JSON.stringify(work.fields))
  const ask = {
    path: PATHS[route],
    body: (target: Target) => JSON.stringify(bodyFor(work, target)),
    headers: work.headers,
    signal: options.signal,
  }
  try {
    return await exchange.run(ask, (answer, begun) =>
      work.stream
        ? relayStream(work, answer, begun, options, meter)
        : relayWhole(route, answer, begun, options, meter),
    )
  } catch (error) {
    // A client that left pays for what it was sent.
    if (options.signal.aborted) return meter.usage()
    throw error
  }
}

function bodyFor({ fields, stream, route }: NativeWork, target: Target): Record<string, unknown> {
  const body: Record<string, unknown> = { ...fields, model: target.model }
  if (stream && route !== 'messages') {
    body.stream_options = { ...(fields.stream_options as object | undefined), include_usage: true }
  }
  return body
}

async function relayWhole(
  route: NativeRoute,
  answer: UpstreamAnswer,
  begun: () => void,
  options: RunOptions,
  meter: ReturnType<typeof createMeter>,
): Promise<Usage> {
  const text = await readText(answer.body)
  const json = parse(text) as { error?: unknown }
  // Servers that stand before several others tell of a failure so: the status was theirs, the error is not.
  if (json.error !== undefined && json.error !== null) throw midStream()
  meter.readWhole(json)
  begun()
  options.emit({ type: 'body', text }, meter.output())
  const usage = meter.usage()
  if (route !== 'embeddings') return usage
  const { data } = json as { data?: unknown }
  return { ...usage, outputUnits: Array.isArray(data) ? data.length : 0 }
}

async function relayStream(
  work: NativeWork,
  answer: UpstreamAnswer,
  begun: () => void,
  options: RunOptions,
  meter: ReturnType<typeof createMeter>,
): Promise<Usage> {
  const wantsUsage =
    (work.fields.stream_options as { include_usage?: unknown } | undefined)?.include_usage === true
  const choices = createChoices()
  for await (const { event, data } of readSse(answer.body)) {
    if (options.signal.aborted) return meter.usage()
    if (data.startsWith('[DONE]')) return meter.usage()
    const json = parse(data) as { type?: unknown; choices?: unknown; usage?: unknown; error?: unknown }
    if (json.type === 'message_stop') return meter.usage()
    if (json.error !== undefined && json.error !== null) throw midStream()
    meter.read(json)
    // Each piece of what the model writes holds a token at least; roles and reasons are no pieces of it.
    if (generatedBytes(json) > 0) meter.piece()
    choices.read(json.choices)
    const isUsageOnly = Array.isArray(json.choices) && json.choices.length === 0 && json.usage !== undefined
    if (isUsageOnly && !wantsUsage) continue
    begun()
    options.emit({ type: 'native', event, data }, meter.output())
  }
  if (choices.haveEnded()) return meter.usage()
  throw new EngineError('The upstream of this model ended its answer before its end.', {
    status: 502,
    code: 'upstream_failed',
  })
}

/** The choices of a stream: some servers leave its end mark out, but none leaves out why each of them stopped. */
function createChoices() {
  const begun = new Set<unknown>()
  const ended = new Set<unknown>()
  return {
    read(choices: unknown): void {
      for (const choice of Array.isArray(choices) ? choices : []) {
        const { index, finish_reason: reason } = (choice ?? {}) as {
          index?: unknown
          finish_reason?: unknown
        }
        begun.add(index)
        if (typeof reason === 'string') ended.add(index)
      }
    },
    haveEnded: () => begun.size > 0 && ended.size === begun.size,
  }
}

/** JSON of an upstream; anything else is no answer. */
function parse(text: string): object {
  const json: unknown = JSON.parse(text)
  if (typeof json !== 'object' || json === null) throw new SyntaxError('not an object')
  return json
}

export function midStream(): EngineError {
  return new EngineError('The upstream of this model failed in the middle of its answer.', {
    status: 502,
    code: 'upstream_failed',
  })
}
