/**
 * Mutation test of the contracts: `npm run test:mutation -- [options]`
 *   --contract PART   only sources whose path holds PART (repeatable)
 *   --sample N        at most N mutants a source, drawn with --seed (default: all)
 *   --seed TEXT       of the draw (default: assay)
 *   --budget SECONDS  stop after this time; the next run goes on where this one ended
 *   --suites N        ask only the N likeliest suites; those that survive are for --survivors without it, which asks all
 *   --survivors       ask again about those that survived without a reason; all suites, with more fuzzing
 *   --again           ask again about those without a reason that were asked of other tests than those that stand here
 *   --fresh           forget what earlier runs found
 * Results stand in contracts/cache/mutation/results.json. Exit 1 below 95 % or with a survivor that
 * equivalent.json does not explain.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readSources } from '../solc.ts'
import { Judge, type Verdict } from './judge.ts'
import type { Mutant } from './operators.ts'
import { allMutants, buildSchemata, type Schemata, suitesThatHold } from './schemata.ts'
import type { Answer } from './worker.ts'

type Named = Mutant & { name: string }
/** With the hash of all tests as they were when it was asked. */
type Result = (Verdict | { outcome: 'stillborn' }) & { tests?: string }

const here = dirname(fileURLToPath(import.meta.url))
const cache = join(here, '../../cache/mutation')
const resultsPath = join(cache, 'results.json')
const TARGET = 0.95
const readJson = <T>(path: string, otherwise: T): T =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : otherwise

/** Mutants that change nothing that could be observed, and why. */
const reasons = readJson<Record<string, string>>(join(here, 'equivalent.json'), {})

const { values: options } = parseArgs({
  options: {
    contract: { type: 'string', multiple: true },
    sample: { type: 'string' },
    seed: { type: 'string', default: 'assay' },
    budget: { type: 'string' },
    suites: { type: 'string' },
    survivors: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
  },
})

const sha256 = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex')

/** Names stay the same in every run, whatever else changes in the file. */
function named(mutants: readonly Mutant[]): Named[] {
  const seen = new Map<string, number>()
  return mutants.map((mutant) => {
    const { file, where, operator, original, mutated } = mutant
    const key = sha256([file, where, operator, original, mutated])
    const nth = seen.get(key) ?? 0
    seen.set(key, nth + 1)
    return { ...mutant, name: sha256([key, nth]).slice(0, 12) }
  })
}

function drawn(mutants: readonly Named[]): Named[] {
  const parts = options.contract ?? ['']
  const matching = mutants.filter(({ file }) => parts.some((part) => file.includes(part)))
  if (options.sample === undefined) return matching
  const size = Number(options.sample)
  const byFile = Map.groupBy(matching, ({ file }) => file)
  return [...byFile.values()].flatMap((own) =>
    own
      .map((mutant) => ({ mutant, lot: sha256([options.seed, mutant.name]) }))
      .sort((a, b) => (a.lot < b.lot ? -1 : 1))
      .slice(0, size)
      .map(({ mutant }) => mutant),
  )
}

const tests = readSources('test')
const testsHash = sha256(tests).slice(0, 12)

const programKey = (wanted: readonly Named[]): string =>
  sha256([readSources('src'), tests, wanted.map(({ name }) => name)])

/** The woven program: the one of the last run where sources, tests and choice are the same. */
function program(path: string, wanted: readonly Named[]): Schemata {
  const key = programKey(wanted)
  const last = readJson<{ key: string; schemata: Schemata } | undefined>(path, undefined)
  if (last?.key === key) return last.schemata
  const schemata = buildSchemata(wanted, console.log)
  writeFileSync(path, JSON.stringify({ key, schemata }))
  return schemata
}

/** One of each source in turn, so that a run that is cut short has seen them all. */
function inTurn<M extends Mutant>(mutants: readonly M[]): M[] {
  const seen = new Map<string, number>()
  const turns = mutants.map((mutant) => {
    const turn = seen.get(mutant.file) ?? 0
    seen.set(mutant.file, turn + 1)
    return { mutant, turn }
  })
  return turns.sort((a, b) => a.turn - b.turn).map(({ mutant }) => mutant)
}

function report(mutants: readonly Named[], results: Record<string, Result>): void {
  const rows: string[] = []
  const sum = { mutants: 0, asked: 0, killed: 0, explained: 0, survived: 0, stillborn: 0 }
  const open: Named[] = []
  for (const [file, own] of Map.groupBy(mutants, (mutant) => mutant.file)) {
    const outcome = (mutant: Named) => results[mutant.name]?.outcome
    const survivors = own.filter((mutant) => outcome(mutant) === 'survived')
    const explained = survivors.filter(({ name }) => reasons[name] !== undefined).length
    const killed = own.filter((mutant) => outcome(mutant) === 'killed').length
    const stillborn = own.filter((mutant) => outcome(mutant) === 'stillborn').length
    open.push(...survivors.filter(({ name }) => reasons[name] === undefined))
    const asked = killed + survivors.length + stillborn
    if (asked === 0) continue
    const rate = ((100 * killed) / Math.max(1, killed + survivors.length - explained)).toFixed(1)
    rows.push(
      `| ${file.replace('src/', '')} | ${own.length} | ${asked} | ${killed} | ${survivors.length} | ${explained} | ${rate} |`,
    )
    sum.mutants += own.length
    sum.asked += asked
    sum.killed += killed
    sum.explained += explained
    sum.survived += survivors.length
    sum.stillborn += stillborn
  }
  for (const { file, line, where, operator, original, mutated, name } of open) {
    const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, 110)
    console.log(
      `survived ${name} ${file}:${line} ${where} [${operator}] ${oneLine(original)}  →  ${oneLine(mutated) || '(nothing)'}`,
    )
  }
  console.log(
    '\n| source | mutants | asked | killed | survived | of these explained | killed % |\n| --- | --- | --- | --- | --- | --- | --- |',
  )
  for (const row of rows) console.log(row)
  // What changes nothing cannot be noticed.
  const rate = sum.killed / Math.max(1, sum.killed + sum.survived - sum.explained)
  console.log(
    `| **all** | ${sum.mutants} | ${sum.asked} | ${sum.killed} | ${sum.survived} | ${sum.explained} | ${(100 * rate).toFixed(1)} |`,
  )
  const earlier = mutants.filter(
    ({ name }) => reasons[name] === undefined && results[name] && results[name].tests !== testsHash,
  ).length
  console.log(
    `${sum.stillborn} stillborn, ${open.length} survivors without a reason, ${earlier} asked of the tests as they were before`,
  )
  process.exitCode = rate < TARGET || open.length > 0 ? 1 : 0
}

async function main(): Promise<void> {
  mkdirSync(cache, { recursive: true })
  const results = options.fresh ? {} : readJson<Record<string, Result>>(resultsPath, {})
  const wanted = drawn(named(allMutants()))
  const todo = wanted.filter(({ name }) => {
    const outcome = results[name]?.outcome
    if (options.again) return reasons[name] === undefined && results[name]?.tests !== testsHash
    if (!options.survivors) return outcome === undefined
    return outcome === 'survived' && reasons[name] === undefined
  })
  console.log(`${wanted.length} mutants, ${todo.length} to ask about`)
  if (todo.length > 0) {
    const started = performance.now()
    const seconds = () => Math.round((performance.now() - started) / 1000)
    const schemataPath = join(cache, 'schemata.json')
    // What is asked about alone makes a smaller program; a run in pieces keeps the one it began with.
    const woven = options.budget === undefined ? todo : wanted
    const schemata = program(schemataPath, woven)
    console.log(`one program with ${schemata.mutants.length} mutants in ${seconds()} s`)
    // A look at the likeliest suites is a quick one.
    const thorough = options.survivors && options.suites === undefined
    const [fuzzRuns, invariantRuns] = thorough ? [64, 4] : [6, 1]
    const sourceOf = new Map(
      schemata.artifacts.map(({ name, source }) => [name, tests[source]?.content ?? '']),
    )
    const judge = new Judge(
      schemataPath,
      Number(options.suites ?? Number.POSITIVE_INFINITY),
      (suite, contract) => new RegExp(`\\b${contract}\\b`).test(sourceOf.get(suite) ?? ''),
    )
    const names = schemata.artifacts.filter(({ suite }) => suite).map(({ name }) => name)
    // A test that measures gas measures the switches too.
    const timed = names.filter((name) => !name.endsWith('GasTest'))
    const baselinePath = join(cache, 'baseline.json')
    const of = sha256([programKey(woven), fuzzRuns, invariantRuns])
    const last = readJson<{ of: string; answer: Answer } | undefined>(baselinePath, undefined)
    const answer = last?.of === of ? last.answer : await judge.baseline(timed, fuzzRuns, invariantRuns)
    writeFileSync(baselinePath, JSON.stringify({ of, answer }))
    const { failed, times } = answer
    judge.know(times)
    const broken = new Set(failed.map((test) => test.split('.')[0]))
    if (broken.size > 0) console.log(`left out, as they fail without a mutant: ${failed.join(', ')}`)
    const suites = timed.filter((name) => !broken.has(name)).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0))
    // A mutant's number is its place in what was asked for.
    const nameOf = (id: number) => woven[id - 1]?.name ?? ''
    for (const { id } of schemata.stillborn) results[nameOf(id)] = { outcome: 'stillborn', tests: testsHash }
    const deadline = Number(options.budget ?? Number.POSITIVE_INFINITY)
    for (const mutant of wanted) {
      const result = results[mutant.name]
      if (result?.outcome === 'killed') judge.remember(mutant, result.by)
    }
    const holding = suitesThatHold(schemata)
    let asked = 0
    const asking = new Set(todo.map(({ name }) => name))
    for (const mutant of inTurn(schemata.mutants.filter(({ id }) => asking.has(nameOf(id))))) {
      if (seconds() > deadline) break
      const able = suites.filter((suite) => holding.get(mutant.id)?.has(suite))
      const verdict = await judge.judge(mutant.id, mutant, able, fuzzRuns, invariantRuns)
      results[nameOf(mutant.id)] = { ...verdict, tests: testsHash }
      if (++asked % 10 === 0) writeFileSync(resultsPath, JSON.stringify(results))
      if (asked % 500 === 0) console.log(`${asked} asked, ${seconds()} s`)
    }
    judge.close()
    writeFileSync(resultsPath, JSON.stringify(results))
    console.log(`${asked} asked in ${seconds()} s`)
  }
  report(wanted, results)
}

await main()
