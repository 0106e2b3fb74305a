import type { InferenceRoute } from '@assay/protocol'
import type { Dispatcher } from 'undici'
import {
  type ChatWork,
  type Engine,
  EngineError,
  type Feature,
  type NativeWork,
  type RunOptions,
  type Unsupported,
  type Usage,
  type Work,
} from '../engine.ts'
import { anthropicBridge } from './anthropicBridge.ts'
import type { Bridge } from './bridge.ts'
import { createExchange, type Exchange, readText } from './exchange.ts'
import { createMeter } from './meter.ts'
import { openaiBridge } from './openaiBridge.ts'
import { awaitsKey, dialectOf, engineClassOf, type Target, type UpstreamDialect } from './providers.ts'
import { midStream, relayNative } from './relayNative.ts'
import { readSse } from './sseReader.ts'

export type UpstreamEngineParameters = {
  /** Tokens. */
  contextLength: number
  /** Most output that the upstream's model can make at once, tokens; the context length where it is not known. */
  maxOutput?: number | undefined
  /** In the order in which they are asked; all of one dialect and one engine class. */
  targets: readonly Target[]
  concurrency: number
  /** Of Anthropic's, that the price of the model covers. */
  betas?: readonly string[] | undefined
  /** Members of requests that these servers take and drop. */
  ignores?: readonly string[] | undefined
  /** Another way to the network, for tests. */
  dispatcher?: Dispatcher | undefined
}

/** Routes that go on as they are, and what a client of another dialect may ask for. */
const OFFERS: Record<
  UpstreamDialect,
  { bridge: Bridge; native: readonly InferenceRoute[]; features: readonly Feature[] }
> = {
  openai: {
    bridge: openaiBridge,
    native: ['chat', 'completions', 'embeddings'],
    features: ['chat', 'images', 'tools', 'json', 'sampling', 'seed', 'penalties'],
  },
  anthropic: {
    bridge: anthropicBridge,
    native: ['messages'],
    features: ['chat', 'images', 'tools', 'json', 'sampling', 'top_k'],
  },
}

/** A model behind another server: what comes in its dialect goes on as it is, everything else is translated. */
export function startUpstreamEngine(parameters: UpstreamEngineParameters): Engine {
  const { contextLength, maxOutput = contextLength, targets, concurrency, dispatcher } = parameters
  const { provider } = targets[0] as Target
  const { bridge, native, features } = OFFERS[dialectOf(provider)]
  const exchange = createExchange(targets, dispatcher)
  return {
    contextLength,
    concurrency,
    engineClass: engineClassOf(provider),
    features: new Set(features),
    native: new Set(native),
    betas: new Set(parameters.betas),
    ignores: new Set(parameters.ignores),
    isReady: () => !targets.every(awaitsKey),
    prepare(work) {
      if (work.kind === 'native') {
        return { inputUnits: undefined, run: (options) => relayNative(exchange, work, options) }
      }
      if (work.kind !== 'chat') throw new Error('unreachable: no feature of this engine admits it')
      const settings = { ...work.settings, maxTokens: Math.min(work.settings.maxTokens, maxOutput) }
      const asked = { ...work, settings }
      return (
        whyNot(asked, bridge) ?? {
          inputUnits: undefined,
          run: (options) => translate(exchange, bridge, asked, contextLength, options),
        }
      )
    },
    countTokens: native.includes('messages')
      ? (work, signal) => countTokens(exchange, work, signal)
      : undefined,
    close: () => exchange.close(),
  }
}

/** What this upstream's dialect has no words for. */
function whyNot(work: ChatWork, bridge: Bridge): Unsupported | undefined {
  if (bridge !== anthropicBridge) return undefined
  if (work.format.type === 'json_object') {
    const message = 'This model writes JSON only by a schema: use json_schema.'
    return { unsupported: { message, param: work.format.place } }
  }
  for (const [at, message] of work.messages.entries()) {
    if (message.role !== 'assistant') continue
    for (const call of message.toolCalls) {
      if (isObject(call.arguments)) continue
      const param = `messages[${at}].tool_calls`
      return {
        unsupported: { message: `The arguments of a call in \`${param}\` are not a JSON object.`, param },
      }
    }
  }
  return undefined
}

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

async function translate(
  exchange: Exchange,
  bridge: Bridge,
  work: ChatWork,
  contextLength: number,
  options: RunOptions,
): Promise<Usage> {
  const meter = createMeter(JSON.stringify(work.messages))
  const ask = {
    path: bridge.path,
    body: (target: Target) => JSON.stringify(bridge.body(work, target, contextLength)),
    signal: options.signal,
  }
  try {
    return await exchange.run(ask, async (answer, begun) => {
      const reader = bridge.reader(work.settings.stop)
      let finished = false
      for await (const { data } of readSse(answer.body)) {
        if (options.signal.aborted || reader.isEnd(data)) break
        const json = JSON.parse(data) as { error?: unknown }
        if (json.error !== undefined && json.error !== null) throw midStream()
        meter.read(json)
        for (const event of reader.read(json)) {
          begun()
          if (event.type === 'finish') finished = true
          else if (event.type !== 'tool') meter.piece()
          options.emit(event, meter.output())
        }
      }
      // Some servers leave the end mark out; none leaves out why it stopped.
      if (!finished && !options.signal.aborted) throw midStream()
      return meter.usage()
    })
  } catch (error) {
    // A client that left pays for what it was sent.
    if (options.signal.aborted) return meter.usage()
    throw error
  }
}

async function countTokens(exchange: Exchange, work: Work, signal: AbortSignal): Promise<number> {
  const ask = {
    path: '/messages/count_tokens',
    body: (target: Target) => JSON.stringify({ ...(work as NativeWork).fields, model: target.model }),
    headers: (work as NativeWork).headers,
    signal,
  }
  return await exchange.run(ask, async (answer) => {
    const { input_tokens: count } = JSON.parse(await readText(answer.body)) as { input_tokens?: unknown }
    if (typeof count === 'number') return count
    throw new EngineError('The upstream of this model did not count.', {
      status: 502,
      code: 'upstream_failed',
    })
  })
}
