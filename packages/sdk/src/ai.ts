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

  function chatModel(name: string): ChatModel {
    const model = provider.chatModel(name)
    return new Proxy(model, {
      get(target, member) {
        if (member === 'doGenerate' || member === 'doStream') {
          return (asked: never) => track({}, () => target[member](asked))
        }
        const value: unknown = Reflect.get(target, member, target)
        return value
      },
    })
  }

  return Object.assign((model: string) => chatModel(model), {
    chatModel,
    embeddingModel: (model: string) => provider.embeddingModel(model),
  })
}
