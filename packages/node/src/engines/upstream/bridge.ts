import type { AnswerEvent, ChatWork } from '../engine.ts'
import type { Target } from './providers.ts'

/** How one upstream dialect is spoken for a client of another. */
export type Bridge = {
  path: string
  /**
   * The request, always as a stream, so that the first words are out as soon as they are known.
   * @param contextLength of the model: a limit as long as that is none
   */
  body: (work: ChatWork, target: Target, contextLength: number) => Record<string, unknown>
  /** Reads one answer's events. @param stop texts that end it, as its caller gave them */
  reader: (stop: readonly string[]) => {
    /** Whether these data end the stream. */
    isEnd: (data: string) => boolean
    read: (json: object) => AnswerEvent[]
  }
}

/** Name of the one function that must be called, if it is one. */
export function toolChoiceName({ toolChoice }: ChatWork): string | undefined {
  return typeof toolChoice === 'string' ? undefined : toolChoice.name
}
