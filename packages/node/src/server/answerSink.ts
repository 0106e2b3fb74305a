/** Where an answer goes: a socket's response, or one that encrypts (`sealedSink.ts`). */
export type AnswerSink = {
  readonly destroyed: boolean
  readonly headersSent: boolean
  setHeader: (name: string, value: string) => unknown
  writeHead: (status: number, headers: Record<string, string | number>) => unknown
  write: (bytes: Uint8Array) => unknown
  /** `done` is called when everything is out. */
  end: (last: Uint8Array, done: () => void) => unknown
  once: (event: 'close', listener: () => void) => unknown
  setTimeout: (milliseconds: number, onTimeout: () => void) => unknown
  destroy: () => unknown
}
