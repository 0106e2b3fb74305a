/** Asks a worker about one mutant after the other, and ends the worker where a mutant never ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './operators.ts'
import type { Answer, Job } from './worker.ts'

/** Milliseconds of a suite that is asked before the slow ones. */
const QUICK = 80
/** Single tests that are asked before whole suites. */
const PROVEN = 6

export type Verdict = { outcome: 'killed'; by: string } | { outcome: 'survived' }

/** Of `Suite.test(parameters)`. */
const suiteOf = (test: string): string => test.split('.')[0] ?? ''
const nameOf = (test: string): string => test.slice(suiteOf(test).length + 1).replace(/\(.*$/, '')

type Place = Pick<Mutant, 'file' | 'where'>

export class Judge {
  readonly #schemata: string
  readonly #likeliest: number
  readonly #names: (suite: string, contract: string) => boolean
  #worker: ChildProcess | undefined
  #times: Record<string, number> = {}
  /** `place suite`, a place being a file or its folder → mutants there that the suite has killed. */
  readonly #kills = new Map<string, number>()
  /** Function, then file → test → mutants there that the test has killed. */
  readonly #killers = new Map<string, Map<string, number>>()

  /**
   * @param likeliest whole suites that are asked about a mutant at most
   * @param names whether a suite's source names a contract
   */
  constructor(schemata: string, likeliest: number, names: (suite: string, contract: string) => boolean) {
    this.#schemata = schemata
    this.#likeliest = likeliest
    this.#names = names
  }

  /** @returns the tests that fail without any mutant, and the time of each suite in milliseconds. */
  async baseline(suites: string[], fuzzRuns: number, invariantRuns: number): Promise<Answer> {
    const answer = await this.#ask({ mutant: 0, suites, fuzzRuns, invariantRuns })
    if (answer === 'endless') throw new Error('The suite itself never ends.')
    return answer
  }

  /** @param times of each suite in milliseconds, without a mutant */
  know(times: Record<string, number>): void {
    this.#times = times
  }

  async judge(
    mutant: number,
    place: Place,
    suites: string[],
    fuzzRuns: number,
    invariantRuns: number,
  ): Promise<Verdict> {
    const weights = new Map(suites.map((suite) => [suite, this.#weight(place.file, suite)]))
    const ordered = suites
      .toSorted((one, other) => (weights.get(other) ?? 0) - (weights.get(one) ?? 0))
      .slice(0, this.#likeliest)
    // Tests that killed here before, the likeliest suites, then the quick, then the slow.
    const proven = this.#proven(place).filter((test) => suites.includes(suiteOf(test)))
    const rest = ordered.slice(4)
    const quick = (suite: string) => (this.#times[suite] ?? 0) < QUICK
    const groups = [
      ...[...Map.groupBy(proven, suiteOf)].map(([suite, own]) => ({
        suites: [suite],
        tests: own.map(nameOf),
      })),
      { suites: ordered.slice(0, 1) },
      { suites: ordered.slice(1, 4) },
      { suites: rest.filter(quick) },
      { suites: rest.filter((suite) => !quick(suite)) },
    ]
    for (const group of groups) {
      if (group.suites.length === 0) continue
      const answer = await this.#ask({ mutant, ...group, fuzzRuns, invariantRuns })
      const verdict = this.#verdict(place, answer)
      if (verdict !== undefined) return verdict
    }
    return { outcome: 'survived' }
  }

  #verdict(place: Place, answer: Answer | 'endless'): Verdict | undefined {
    if (answer === 'endless') return { outcome: 'killed', by: 'it never ends' }
    const [by] = answer.failed
    if (by === undefined) return
    this.remember(place, by)
    return { outcome: 'killed', by }
  }

  /** Counts a kill, of an earlier run too: who killed the last mutant of a place is asked first about the next. */
  remember({ file, where }: Place, by: string): void {
    for (const place of [file, dirname(file)]) {
      const key = `${place} ${suiteOf(by)}`
      this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1)
    }
    // A setUp is no test that could be asked for.
    if (!/\.(test|invariant)/.test(by)) return
    for (const place of [`${file} ${where}`, file]) {
      const killers = this.#killers.get(place) ?? new Map<string, number>()
      this.#killers.set(place, killers.set(by, (killers.get(by) ?? 0) + 1))
    }
  }

  /** The tests that killed most, of the same function first. */
  #proven({ file, where }: Place): string[] {
    const ranked = [`${file} ${where}`, file].flatMap((place) =>
      [...(this.#killers.get(place) ?? [])].sort((a, b) => b[1] - a[1]).map(([test]) => test),
    )
    return [...new Set(ranked)].slice(0, PROVEN)
  }

  #weight(file: string, suite: string): number {
    // Stake, staked and staking are one word.
    const contract = basename(file, '.sol')
    const stems = contract.match(/[A-Z][a-z]{2,3}/g) ?? []
    const shared = stems.filter((stem) => suite.includes(stem)).length
    return (
      2 * shared +
      (this.#names(suite, contract) ? 2 : 0) +
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
      const onExit = (code: number | null) =>
        fail(new Error(`The worker ended with ${code} at mutant ${job.mutant}.`))
      worker.once('exit', onExit)
      worker.once('message', (answer) => {
        worker.off('exit', onExit)
        // Whatever runs in it would run on.
        if (answer === 'endless') this.close()
        done(answer as Answer | 'endless')
      })
      worker.send(job)
    })
  }
}
