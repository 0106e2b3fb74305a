import { createOpenAICompatible, type OpenAICompatibleProvider } from '@ai-sdk/openai-compatible'
import type { AssayFetchOptions } from './assayFetch.ts'
import { metadataOf, trackedFetch } from './trackedFetch.ts'

type ChatModel = ReturnType<OpenAICompatibleProvider['chatModel']>
type EmbeddingModel = ReturnType<OpenAICompatibleProvider['embeddingModel']>

/** A provider of Vercel's AI SDK. */
export type AssayProvider = {
  (model: string): ChatModel
  chatModel(model: string): ChatModel
  embeddingModel(model: string): EmbeddingModel
}

/**
 * The network as a provider of Vercel's AI SDK (`ai`). Every answer is paid for and verified before it ends; what stands
 * behind it is in `providerMetadata.assay`.
 * @example
 * const assay = createAssayProvider({ networkPath: '.assay/network.json', privateKey })
 * const { text, providerMetadata } = await generateText({ model: assay('smollm2-135m-instruct'), prompt })
 */
export function createAssayProvider(options: AssayFetchOptions): AssayProvider {
  const { network, fetch, track, current } = trackedFetch(options)
  const metadata = (call: ReturnType<typeof current>) => {
    const assay = metadataOf(call)
    return assay === undefined ? undefined : { assay }
  }
  const provider = createOpenAICompatible({
    name: 'assay',
    baseURL: new URL('/v1', network.gatewayUrl).href,
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
    metadataExtractor: {
      extractMetadata: async () => metadata(current()),
      createStreamExtractor() {
        // Its end is read in another context than its beginning.
        const call = current()
        return { processChunk: () => undefined, buildMetadata: () => metadata(call) }
      },
    },
  })

  /** The model, whose calls are each tracked, and paid for once. */
  function paying<Model extends object>(model: Model): Model {
    return new Proxy(model, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member, target)
        if (typeof value !== 'function' || !CALLS.has(member)) return value
        return async (...asked: unknown[]) => {
          try {
            return await track({}, () => Reflect.apply(value, target, asked) as unknown)
          } catch (error) {
            throw withoutRetry(error)
          }
        }
      },
    })
  }

  const chatModel = (name: string): ChatModel => paying(provider.chatModel(name))
  return Object.assign((model: string) => chatModel(model), {
    chatModel,
    embeddingModel: (model: string) => paying(provider.embeddingModel(model)),
  })
}

const CALLS: ReadonlySet<string | symbol> = new Set(['doGenerate', 'doStream', 'doEmbed'])

/**
 * The AI SDK asks again by the status alone, twice unless it is told otherwise, and asking again behind a payment is another
 * payment: what is not to be asked again says so to it in its own way.
 */
function withoutRetry(error: unknown): unknown {
  const { responseHeaders } = (error ?? {}) as { responseHeaders?: Record<string, string> }
  return responseHeaders?.['x-should-retry'] === 'false'
    ? Object.assign(error as object, { isRetryable: false })
    : error
}
