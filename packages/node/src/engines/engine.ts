import type { InferenceRoute, ProofBytes } from '@assay/protocol'
import type { Hex } from 'viem'

/** What every inference engine offers to the dialects, and what they ask of it; none of this knows HTTP or money. */

/** Things that not every engine can do; a request that needs a missing one is refused by the member's name. */
export type Feature =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'infer'
  | 'images'
  | 'tools'
  | 'json'
  | 'logprobs'
  | 'choices'
  | 'sampling' // temperature and top_p
  | 'top_k'
  | 'seed'
  | 'penalties'
  | 'names' // who speaks, among those of one role

export type Part = { type: 'text'; text: string } | { type: 'image'; mediaType: string; base64: string }

/** A function call that the model made; `arguments` is JSON text. */
export type ToolCall = { id: string; name: string; arguments: string }

/** `name` tells speakers of one role apart; only an engine that has the feature meets one. */
export type ChatMessage =
  | { role: 'system'; content: string; name?: string | undefined }
  | { role: 'user'; content: Part[]; name?: string | undefined }
  | { role: 'assistant'; content: string; toolCalls: ToolCall[]; name?: string | undefined }
  | { role: 'tool'; callId: string; content: string }

export type Tool = {
  name: string
  description?: string | undefined
  /** JSON schema of the arguments, an object's. */
  parameters: Record<string, unknown>
  /** The arguments must follow the schema exactly, else the schema is refused. */
  strict: boolean
  /** Where `parameters` stands in the request, for errors. */
  place: string
}

export type ToolChoice = 'auto' | 'none' | 'required' | { name: string }

export type TextFormat =
  | { type: 'text' }
  | { type: 'json_object'; place: string }
  | { type: 'json_schema'; name: string; schema: Record<string, unknown>; strict: boolean; place: string }

/** Members that the request left out are undefined: each engine has its own defaults. */
export type Sampling = {
  /** 0 = greedy: the same tokens on every run. */
  temperature?: number | undefined
  /** 1 = the whole distribution. */
  topP?: number | undefined
  topK?: number | undefined
  seed?: number | undefined
  frequencyPenalty?: number | undefined
  presencePenalty?: number | undefined
}

export type Settings = {
  sampling: Sampling
  /** Most tokens to generate for one answer. */
  maxTokens: number
  /** Texts that end the answer; never part of it. */
  stop: readonly string[]
  /** Answers to one prompt. */
  choices: number
  /** Log-probabilities wanted: of the chosen token and this many others; undefined for none. */
  logprobs?: number | undefined
}

export type ChatWork = {
  kind: 'chat'
  messages: ChatMessage[]
  tools: Tool[]
  toolChoice: ToolChoice
  parallelTools: boolean
  format: TextFormat
  settings: Settings
}

/** Texts to continue as they stand, without a chat template. */
export type CompletionWork = { kind: 'completion'; prompts: string[]; settings: Settings }

export type EmbeddingWork = { kind: 'embedding'; inputs: string[]; dimensions?: number | undefined }

/** A tensor for a circuit, flat. */
export type TensorWork = { kind: 'tensor'; values: number[] }

/** A body that goes on unread to an upstream of the same dialect, which judges it. */
export type NativeWork = {
  kind: 'native'
  route: InferenceRoute
  /** Members of the body. */
  fields: Record<string, unknown>
  stream: boolean
  /** `anthropic-*` headers, which belong to the request. */
  headers: Record<string, string>
  /** Most output units, all answers. */
  maxOutput: number
}

export type Work = ChatWork | CompletionWork | EmbeddingWork | TensorWork | NativeWork

export type TokenLogprob = { token: string; bytes: number[]; logprob: number; top: TokenLogprob[] }

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'refusal' | 'content_filter'

/** One step of an answer. `choice` counts the answers of one request from 0. */
export type AnswerEvent =
  | { type: 'text'; choice: number; text: string; logprobs?: TokenLogprob[] | undefined }
  | { type: 'thinking'; choice: number; text: string }
  /** Ends a block of thinking; opaque, and only its maker can check it. */
  | { type: 'signature'; choice: number; signature: string }
  | { type: 'redacted'; choice: number; data: string }
  /** A function call begins; its arguments follow as JSON text. `index` counts the calls of one answer from 0. */
  | { type: 'tool'; choice: number; index: number; id: string; name: string }
  | { type: 'arguments'; choice: number; index: number; text: string }
  | { type: 'finish'; choice: number; reason: FinishReason; stopText?: string | undefined }
  | { type: 'embedding'; index: number; vector: readonly number[] }
  /** The integers that a circuit gives, and the numbers they stand for. */
  | { type: 'tensor'; tensor: readonly number[]; output: readonly number[] }
  /** Native work, streamed: one event of the upstream, its terminal event excepted. */
  | { type: 'native'; event: string | undefined; data: string }
  /** Native work, whole: the upstream's body. */
  | { type: 'body'; text: string }

export type Usage = {
  inputUnits: number
  outputUnits: number
  /** What the receipt commits to and the proof is about; absent where nothing will be proved. */
  evidenceHash?: Hex | undefined
}

export type RunOptions = {
  /** Ends the work at the next step; the run then resolves with what was done. */
  signal: AbortSignal
  /** Takes every step as it happens, with the output units so far. */
  emit: (event: AnswerEvent, outputUnits: number) => void
}

/** Work that was looked at and can be done. */
export type Prepared = {
  /** Tokens of the whole prompt, template included; undefined where only the upstream can count them. */
  inputUnits: number | undefined
  /** @throws EngineError, or anything else for a fault inside */
  run: (options: RunOptions) => Promise<Usage>
}

export type PromptTooLong = { tooLong: true; contextLength: number }
/** A value that this engine cannot honour, by the name it has in the request. */
export type Unsupported = { unsupported: { message: string; param: string } }

export type Engine = {
  /** Tokens, prompt and answer together. */
  contextLength: number
  /** Answers that can be generated at one time. */
  concurrency: number
  /** 0 the model runs in the enclave, 1 an authenticated provider's proxy, 2 an unattested upstream (docs/spec.md §4). */
  engineClass: 0 | 1 | 2
  features: ReadonlySet<Feature>
  /** False while it has no key of any upstream of its own: the model is not offered then. Absent: always ready. */
  isReady?: (() => boolean) | undefined
  /** Routes whose bodies go on to an upstream of the same dialect as they are. */
  native: ReadonlySet<InferenceRoute>
  /** Betas of Anthropic's that go on though they can cost more, since the operator has priced them in. */
  betas?: ReadonlySet<string> | undefined
  /** Members of requests that an upstream takes and drops, as its operator says: refused by name. */
  ignores?: ReadonlySet<string> | undefined
  /** Cheap; may be called while all sequences are busy. */
  prepare: (work: Work) => Prepared | PromptTooLong | Unsupported
  /** Input tokens of work that is not run, where `prepare` cannot tell them. @throws EngineError */
  countTokens?: ((work: Work, signal: AbortSignal) => Promise<number>) | undefined
  /** Proves what the engine answered: its receipts are of mode zk. Absent for all engines but circuits. */
  prover?: Prover | undefined
  close: () => Promise<void>
}

export type Prover = {
  /** With which everybody verifies the proofs. */
  card: Uint8Array
  /** What the registry holds as the model's weights. */
  weightsHash: Hex
  /** The proof about the caller's numbers; work that takes its time, one proof after another. */
  prove: (values: readonly number[]) => Promise<Pick<ProofBytes, 'proof' | 'tape'>>
}

/** A failure that the client should hear about in words, before or inside the answer. Nothing is charged. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly status: number
  readonly code: string
  readonly param: string | null
  /** Seconds. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    parameters: { status: number; code: string; param?: string | null; retryAfter?: number | undefined },
  ) {
    super(message)
    this.status = parameters.status
    this.code = parameters.code
    this.param = parameters.param ?? null
    this.retryAfter = parameters.retryAfter
  }
}
