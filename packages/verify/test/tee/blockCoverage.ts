/** Which blocks of code have run, as the engine itself counts them: the guide of the long fuzzing runs. */
import { type Profiler, Session } from 'node:inspector'

/** The code that reads hostile bytes: ours, and the decoder of CBOR. */
const WATCHED = /\/packages\/verify\/src\/tee\/|\/packages\/protocol\/src\/|\/node_modules\/cbor2\//

/** Offsets of a script's text that have run. */
type Run = ReadonlyMap<string, Uint8Array>

export class BlockCoverage {
  readonly #session = new Session()
  readonly #known = new Map<string, Uint8Array>()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  close(): void {
    this.#session.disconnect()
  }

  /**
   * Runs each input, and gives those that reach a block that none before them reached, in order. V8 takes tens of milliseconds
   * for its answer, so it is asked once for all, and only where something was new for each half, each quarter and so on.
   * @param again as `run` feeds an input to its parser, and does nothing else
   */
  reachNew<Input>(
    inputs: readonly Input[],
    run: (input: Input) => void,
    again: (input: Input) => void,
  ): Input[] {
    for (const input of inputs) run(input)
    const ran = this.#take()
    if (!this.#isNew(ran)) return []
    const half = inputs.length >> 1
    const halves = half === 0 ? [] : [inputs.slice(0, half), inputs.slice(half)]
    const found = half === 0 ? [...inputs] : halves.flatMap((part) => this.reachNew(part, again, again))
    // What several reach only together (a cache that fills up) is known from now on as well.
    this.#learn(ran)
    return found
  }

  /** What ran since it was asked last. */
  #take(): Run {
    let answer: Profiler.TakePreciseCoverageReturnType | undefined
    this.#session.post('Profiler.takePreciseCoverage', (error, result) => {
      if (error !== null) throw error
      answer = result
    })
    const ran = new Map<string, Uint8Array>()
    for (const { url, functions } of answer?.result ?? []) {
      if (!WATCHED.test(url)) continue
      const ranges = functions.flatMap((one) => one.ranges)
      const offsets = new Uint8Array(Math.max(...ranges.map(({ endOffset }) => endOffset)))
      // Of a function's ranges the inner follow the outer and override them.
      for (const { startOffset, endOffset, count } of ranges) {
        offsets.fill(count > 0 ? 1 : 0, startOffset, endOffset)
      }
      ran.set(url, offsets)
    }
    return ran
  }

  #isNew(ran: Run): boolean {
    for (const [url, offsets] of ran) {
      const known = this.#known.get(url)
      if (known === undefined || offsets.some((hit, at) => hit === 1 && known[at] !== 1)) return true
    }
    return false
  }

  #learn(ran: Run): void {
    for (const [url, offsets] of ran) {
      const known = this.#known.get(url) ?? new Uint8Array(0)
      const both = new Uint8Array(Math.max(known.length, offsets.length))
      both.set(known)
      for (const [at, hit] of offsets.entries()) if (hit === 1) both[at] = 1
      this.#known.set(url, both)
    }
  }
}
