import type { AnswerEvent, FinishReason, TokenLogprob } from '../engines/engine.ts'

/** One block of an answer, in the order of its making. */
export type Block =
  | { type: 'text'; text: string }
  | { type: 'thinking'; text: string; signature: string }
  | { type: 'redacted'; data: string }
  | { type: 'tool'; id: string; name: string; arguments: string }

export type Choice = {
  blocks: Block[]
  logprobs: TokenLogprob[] | undefined
  finish: FinishReason
  stopText: string | undefined
}

/** What an engine's steps amount to. */
export type Answer = {
  choices: Choice[]
  embeddings: (readonly number[])[]
  /** What a circuit gave. */
  tensor: { output: readonly number[]; tensor: readonly number[] } | undefined
  /** Native work: the upstream's own body. */
  body: string | undefined
}

export type Collector = { add: (event: AnswerEvent) => void; answer: Answer }

/** Puts the steps of an answer together. */
export function collectAnswer(): Collector {
  const answer: Answer = { choices: [], embeddings: [], tensor: undefined, body: undefined }
  const choiceAt = (index: number): Choice => {
    answer.choices[index] ??= { blocks: [], logprobs: undefined, finish: 'stop', stopText: undefined }
    return answer.choices[index]
  }
  return {
    answer,
    add(event) {
      if (event.type === 'embedding') answer.embeddings[event.index] = event.vector
      else if (event.type === 'tensor') answer.tensor = { output: event.output, tensor: event.tensor }
      else if (event.type === 'body') answer.body = event.text
      else if (event.type !== 'native') addToChoice(choiceAt(event.choice), event)
    },
  }
}

function addToChoice(choice: Choice, event: Extract<AnswerEvent, { choice: number }>): void {
  const last = choice.blocks.at(-1)
  switch (event.type) {
    case 'text':
      if (last?.type === 'text') last.text += event.text
      else choice.blocks.push({ type: 'text', text: event.text })
      if (event.logprobs !== undefined) {
        choice.logprobs ??= []
        choice.logprobs.push(...event.logprobs)
      }
      return
    case 'thinking':
      // A signature ends its block; what follows is another.
      if (last?.type === 'thinking' && last.signature === '') last.text += event.text
      else choice.blocks.push({ type: 'thinking', text: event.text, signature: '' })
      return
    case 'signature':
      if (last?.type === 'thinking') last.signature += event.signature
      else choice.blocks.push({ type: 'thinking', text: '', signature: event.signature })
      return
    case 'redacted':
      choice.blocks.push({ type: 'redacted', data: event.data })
      return
    case 'tool':
      choice.blocks.push({ type: 'tool', id: event.id, name: event.name, arguments: '' })
      return
    case 'arguments': {
      const calls = choice.blocks.filter((block) => block.type === 'tool')
      const call = calls[event.index]
      if (call !== undefined) call.arguments += event.text
      return
    }
    case 'finish':
      choice.finish = event.reason
      choice.stopText = event.stopText
  }
}

/** All text of an answer. */
export function textOf(choice: Choice): string {
  return choice.blocks.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

/** The function calls of an answer. */
export function callsOf(choice: Choice): Extract<Block, { type: 'tool' }>[] {
  return choice.blocks.filter((block) => block.type === 'tool')
}
