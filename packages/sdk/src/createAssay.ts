import type { Network } from '@assay/protocol'
import { type AssayFetchOptions, networkOf } from './assayFetch.ts'
import type { Caller } from './call.ts'
import { type ChainReader, chainReaderOf } from './chainReader.ts'
import { type ChatParameters, type ChatResult, type ChatStream, chat, chatStream } from './chat.ts'
import { dropInFetch } from './dropInFetch.ts'
import {
  type CompletionParameters,
  type CompletionResult,
  completion,
  type EmbedParameters,
  type EmbedResult,
  embed,
  type InferParameters,
  type InferResult,
  infer,
} from './otherCalls.ts'
import { mustBeOptions } from './parameters.ts'
import { createVerifiedFetch } from './verifiedFetch.ts'

export type Assay = {
  network: Network
  chain: ChainReader
  /** What `assayFetch` gives with the same options. */
  fetch: typeof globalThis.fetch
  llm: {
    chat(parameters: ChatParameters): Promise<ChatResult>
    /** The same as an async iterable of texts, which may be left early. */
    stream(parameters: Omit<ChatParameters, 'stream'>): Promise<ChatStream>
    completion(parameters: CompletionParameters): Promise<CompletionResult>
    embed(parameters: EmbedParameters): Promise<EmbedResult>
    infer(parameters: InferParameters): Promise<InferResult>
  }
  /** The same as `llm.infer`. */
  infer(parameters: InferParameters): Promise<InferResult>
}

/**
 * A client of one network. Every answer is verified before its content is returned, and comes with its receipt and,
 * unless `wait: 'answer'`, the hash of the transaction that committed it.
 * @example
 * const { llm } = createAssay({ networkPath: '.assay/network.json', privateKey })
 * const { chatOutput, transactionHash } = await llm.chat({ model, messages })
 */
export function createAssay(options: Omit<AssayFetchOptions, 'onAnswer'>): Assay {
  mustBeOptions(options)
  const network = networkOf(options)
  const chain = options.chain ?? chainReaderOf(network)
  const fetch = createVerifiedFetch({ ...options, network, chain })
  const caller: Caller = { network, chain, fetch }
  return {
    network,
    chain,
    fetch: dropInFetch(fetch, options),
    llm: {
      chat: (parameters) => chat(caller, parameters),
      stream: (parameters) => chatStream(caller, parameters),
      completion: (parameters) => completion(caller, parameters),
      embed: (parameters) => embed(caller, parameters),
      infer: (parameters) => infer(caller, parameters),
    },
    infer: (parameters) => infer(caller, parameters),
  }
}
