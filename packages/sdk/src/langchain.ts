import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager'
import { AIMessageChunk, type BaseMessage } from '@langchain/core/messages'
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs'
import { ChatOpenAI, type ChatOpenAIFields } from '@langchain/openai'
import type { AssayFetchOptions } from './assayFetch.ts'
import { metadataOf, type TrackedCall, trackedFetch } from './trackedFetch.ts'

export type ChatAssayFields = Omit<ChatOpenAIFields, 'apiKey' | 'configuration' | 'useResponsesApi'> & {
  /** The network, and what pays. */
  assay: AssayFetchOptions
}

/**
 * A chat model of LangChain.js: tools, structured output and streams as `ChatOpenAI` has them, every answer paid for and
 * verified before it ends; what stands behind it is in `response_metadata.assay`.
 * @example
 * const model = new ChatAssay({ model: 'smollm2-135m-instruct', assay: { networkPath: '.assay/network.json', privateKey } })
 * const { content, response_metadata } = await model.invoke('What is the capital of France?')
 */
export class ChatAssay extends ChatOpenAI {
  readonly #tracked: ReturnType<typeof trackedFetch>
  readonly #given: ChatAssayFields

  constructor({ assay, ...fields }: ChatAssayFields) {
    const tracked = trackedFetch(assay)
    super({
      // A call that was paid for and failed is not paid for again without being asked to.
      maxRetries: 0,
      ...fields,
      apiKey: 'unused',
      configuration: { baseURL: new URL('/v1', tracked.network.gatewayUrl).href, fetch: tracked.fetch },
    })
    this.#tracked = tracked
    this.#given = { assay, ...fields }
  }

  /** Behind `bindTools` and `withStructuredOutput`: LangChain's own makes a `ChatOpenAI`, whose answers come without proof. */
  override withConfig(config: Parameters<ChatOpenAI['withConfig']>[0]): ChatAssay {
    const model = new ChatAssay(this.#given)
    model.defaultOptions = { ...this.defaultOptions, ...config }
    return model
  }

  override async _generate(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    const call: TrackedCall = {}
    const result = await this.#tracked.track(call, () => super._generate(messages, options, runManager))
    const assay = metadataOf(call)
    for (const { message } of result.generations) Object.assign(message.response_metadata, { assay })
    return result
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const call: TrackedCall = {}
    const source = super._streamResponseChunks(messages, options, runManager)
    try {
      for (;;) {
        const next = await this.#tracked.track(call, () => source.next())
        if (next.done === true) break
        yield next.value
      }
    } finally {
      await source.return(undefined)
    }
    const response_metadata = { assay: metadataOf(call) }
    yield new ChatGenerationChunk({
      text: '',
      message: new AIMessageChunk({ content: '', response_metadata }),
    })
  }
}
