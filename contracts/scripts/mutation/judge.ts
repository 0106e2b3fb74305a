/** Asks a worker about one mutant after the other, and ends the worker where a mutant never ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answer, Job } from './worker.ts'

/** Longest time of the whole suite, milliseconds, however busy the machine is. */
const PATIENCE = 600_000
/** A mutant that takes so many times as long as the whole suite never ends. */
const ENDLESS = 10

/** Milliseconds of a suite that is asked before the slow ones. */
const QUICK = 80

export type Verdict = { outcome: 'killed'; by: string } | { outcome: 'survived' }

export class Judge {
  readonly #schemata: string
  #worker: ChildProcess | undefined
  #times: Record<string, number> = {}
  #patience = PATIENCE
  /** `place suite`, a place being a file or its folder → mutants there that the suite has killed. */
  readonly #kills = new Map<string, number>()

  constructor(schemata: string) {
    this.#schemata = schemata
  }

  /** @returns the tests that fail without any mutant, and the time of each suite in milliseconds. */
  async baseline(suites: string[], fuzzRuns: number, invariantRuns: number): Promise<Answer> {
    const started = performance.now()
    const answer = await this.#ask({ mutant: 0, suites, fuzzRuns, invariantRuns })
    if (answer === 'endless') throw new Error(`The suite itself takes longer than ${PATIENCE} ms.`)
    this.#times = answer.times
    this.#patience = Math.max(PATIENCE / 10, ENDLESS * (performance.now() - started))
    return answer
  }

  async judge(
    mutant: number,
    file: string,
    suites: string[],
    fuzzRuns: number,
    invariantRuns: number,
  ): Promise<Verdict> {
    const weights = new Map(suites.map((suite) => [suite, this.#weight(file, suite)]))
    const ordered = suites.toSorted((one, other) => (weights.get(other) ?? 0) - (weights.get(one) ?? 0))
    // The likeliest, then the quick, then the slow.
    const rest = ordered.slice(4)
    const quick = (suite: string) => (this.#times[suite] ?? 0) < QUICK
    const slow = rest.filter((suite) => !quick(suite))
    for (const group of [ordered.slice(0, 1), ordered.slice(1, 4), rest.filter(quick), slow]) {
      if (group.length === 0) continue
      const answer = await this.#ask({ mutant, suites: group, fuzzRuns, invariantRuns })
      if (answer === 'endless') return { outcome: 'killed', by: 'it never ends' }
      const [by] = answer.failed
      if (by === undefined) continue
      this.remember(file, by)
      return { outcome: 'killed', by }
    }
    return { outcome: 'survived' }
  }

  /** Counts a kill, of an earlier run too: who killed the last mutant of a file is asked first about the next. */
  remember(file: string, by: string): void {
    const suite = by.split('.')[0] ?? ''
    for (const place of [file, dirname(file)]) {
      const key = `${place} ${suite}`
      this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1)
    }
  }

  #weight(file: string, suite: string): number {
    const words = file.replace(/^.*\//, '').match(/[A-Z][a-z]+/g) ?? []
    const shared = words.filter((word) => suite.includes(word)).length
    return (
      2 * shared +
      (this.#kills.get(`${file} ${suite}`) ?? 0) +
      (this.#kills.get(`${dirname(file)} ${suite}`) ?? 0) / 4
    )
  }

  close(): void {
    this.#worker?.kill('SIGKILL')
    this.#worker = undefined
  }

  async #start(): Promise<ChildProcess> {
    // One thread: the machine is for others too.
    const env = { ...process.env, RAYON_NUM_THREADS: '1' }
    const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), [this.#schemata], { env })
    await new Promise((done, fail) => {
      worker.once('message', done)
      worker.once('exit', fail)
    })
    return worker
  }

  async #ask(job: Job): Promise<Answer | 'endless'> {
    this.#worker ??= await this.#start()
    const worker = this.#worker
    return await new Promise((done, fail) => {
      const onExit = (code: number | null) => {
        clearTimeout(timer)
        fail(new Error(`The worker ended with ${code} at mutant ${job.mutant}.`))
      }
      const timer = setTimeout(() => {
        worker.off('exit', onExit)
        this.close()
        done('endless')
      }, this.#patience)
      worker.once('exit', onExit)
      worker.once('message', (answer) => {
        clearTimeout(timer)
        worker.off('exit', onExit)
        done(answer as Answer)
      })
      worker.send(job)
    })
  }
}
