/** What every inference engine offers to a dialect; it knows neither HTTP nor money. */
export type ChatMessage = { role: 'system' | 'user' | 'assistant'; content: string }

export type Sampling = {
  /** 0 = greedy: the same tokens on every run. */
  temperature: number
  /** 1 = the whole distribution. */
  topP: number
  /** 32 bits; drawn at random where absent. */
  seed?: number | undefined
  frequencyPenalty: number
  presencePenalty: number
}

export type GenerateOptions = Sampling & {
  /** Most tokens to generate. */
  maxTokens: number
  /** Texts that end the answer; never part of it. */
  stop: readonly string[]
  /** Ends the generation at the next token; the result says `aborted`. */
  signal: AbortSignal
  /** Called with every piece of text that is certain to be part of the answer, and the tokens generated so far. */
  onText: (text: string, outputUnits: number) => void
}

export type GenerateResult = {
  finish: 'stop' | 'length' | 'aborted'
  /** Tokens generated, without the end-of-turn token. */
  outputUnits: number
}

/** A prompt that was tokenised and fits. */
export type PreparedChat = {
  /** Tokens of the whole prompt, template included. */
  inputUnits: number
  generate: (options: GenerateOptions) => Promise<GenerateResult>
}

export type PromptTooLong = { tooLong: true; contextLength: number }

export type Engine = {
  /** Tokens, prompt and answer together. */
  contextLength: number
  /** Answers that can be generated at one time. */
  concurrency: number
  /** Applies the model's template. Cheap; may be called while all sequences are busy. */
  prepareChat: (messages: readonly ChatMessage[]) => PreparedChat | PromptTooLong
  close: () => Promise<void>
}
