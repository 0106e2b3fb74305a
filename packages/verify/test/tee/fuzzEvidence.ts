/** Hostile mutants of Nitro, DCAP, SEV-SNP, GPU and NRAS evidence, at the parsers and through all cryptography. */
import { bytesToHex } from 'viem'
import { DerError } from '../../src/tee/x509/der.ts'
import type { BlockCoverage } from './blockCoverage.ts'
import type { FuzzTarget, Judgement, Parts } from './fuzzTargets.ts'
import { mutate, type Random, randomFrom } from './mutate.ts'

/** Most processor time that one mutant may take, milliseconds: many times what a sound document takes. */
const MAX_MILLISECONDS = 2_000

/**
 * Errors that say "this is not such a document". A TypeError or RangeError would say that a parser trusted a length, an
 * index or a shape: those are crashes.
 */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // The WHATWG decoder says TypeError for text that is not UTF-8.
  if ((error as { code?: unknown }).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return true
  return error instanceof DerError || !(error instanceof TypeError || error instanceof RangeError)
}

export type ParserTally = {
  mutants: number
  read: number
  refused: number
  /** Mutants that reached a block of code that nothing before them had reached, and were mutated further. */
  kept: number
  slowestMilliseconds: number
}

/** Mutants that are tried between two looks at the coverage. */
const BATCH = 1024

/**
 * Feeds `count` mutants to the targets' parsers; @throws where one crashes or dawdles. With a guide, whatever reaches new code
 * is mutated further; without one, only the documents themselves are.
 */
export function fuzzEvidenceParsers(
  targets: readonly FuzzTarget[],
  count: number,
  seed: number,
  guide?: BlockCoverage,
): ParserTally {
  const random = randomFrom(seed)
  const parsers = targets
    .flatMap((target) => target.parsers)
    .map((parser) => ({ ...parser, kept: [] as Uint8Array[] }))
  type Input = { parser: (typeof parsers)[0]; bytes: Uint8Array }
  const corpus = parsers.flatMap(({ seeds }) => seeds)
  const tally: ParserTally = { mutants: 0, read: 0, refused: 0, kept: 0, slowestMilliseconds: 0 }

  function mutant(): Input {
    const parser = parsers[random() % parsers.length] as (typeof parsers)[0]
    const pool = parser.kept.length > 0 && random() % 2 === 0 ? parser.kept : parser.seeds
    return { parser, bytes: mutate(pool[random() % pool.length] as Uint8Array, corpus, random) }
  }

  function attempt({ parser, bytes }: Input): void {
    const started = cpuMilliseconds()
    try {
      parser.parse(bytes)
      tally.read++
    } catch (error) {
      if (!isRefusal(error)) throw new Error(`${parser.name}: mutant ${bytesToHex(bytes)}`, { cause: error })
      tally.refused++
    }
    tally.mutants++
    noteTime(tally, started, parser.name)
  }

  const again = ({ parser, bytes }: Input): void => {
    try {
      parser.parse(bytes)
    } catch {
      // It was a refusal the first time.
    }
  }
  const documents = parsers.flatMap((parser) => parser.seeds.map((bytes) => ({ parser, bytes })))
  guide?.reachNew(documents, again, again)
  while (tally.mutants < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - tally.mutants) }, mutant)
    if (guide === undefined) batch.forEach(attempt)
    for (const { parser, bytes } of guide?.reachNew(batch, attempt, again) ?? []) {
      parser.kept.push(bytes)
      tally.kept++
    }
  }
  return tally
}

/** Processor time of this process so far, milliseconds: a busy machine must not look like a hang. */
const cpuMilliseconds = () => process.cpuUsage().user / 1000

function noteTime(tally: { slowestMilliseconds: number }, started: number, what: string): void {
  const took = cpuMilliseconds() - started
  if (took > MAX_MILLISECONDS) throw new Error(`${what}: a mutant took ${took} ms`)
  tally.slowestMilliseconds = Math.max(tally.slowestMilliseconds, took)
}

/** A signature's twin now and then; else one part mutated, more often the first, or put in another's place. */
function mutateParts(target: FuzzTarget, corpus: Parts, random: Random): Parts {
  if (random() % 64 === 0) return target.twin(target.parts)
  const { parts } = target
  const at = random() % 2 === 0 ? 0 : random() % parts.length
  if (random() % 64 === 0 && parts.length > 1) {
    const other = random() % parts.length
    return parts.map((part, index) => (index === at ? (parts[other] as Uint8Array) : part))
  }
  return parts.map((part, index) => (index === at ? mutate(part, corpus, random) : part))
}

export type VerifierTally = {
  mutants: number
  /** By the first step that failed. */
  failedAt: Record<string, number>
  /** Accepted, and saying the same as the original: the twin (r, n − s) of a signature, or a change that undid itself. */
  same: number
  slowestMilliseconds: number
}

export type Judged = { target: FuzzTarget; parts: Parts; judgement: Judgement }

/** Sends `count` mutants through everything; @throws where one crashes, dawdles, or is accepted and says something else. */
export function* fuzzEvidence(
  targets: readonly FuzzTarget[],
  count: number,
  seed: number,
  tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 },
): Generator<Judged, VerifierTally> {
  const random = randomFrom(seed)
  const corpus = targets.flatMap(({ parts }) => parts)
  const essences = new Map(targets.map((target) => [target, target.judge(target.parts).essence]))
  for (; tally.mutants < count; tally.mutants++) {
    const target = targets[random() % targets.length] as FuzzTarget
    const parts = mutateParts(target, corpus, random)
    const started = cpuMilliseconds()
    const judgement = target.judge(parts)
    noteTime(tally, started, target.kind)
    if (judgement.ok) {
      if (judgement.essence !== essences.get(target)) {
        throw new Error(`accepted ${target.kind}: ${parts.map((part) => bytesToHex(part)).join(' ')}`)
      }
      tally.same++
    } else if (judgement.failed === undefined) {
      throw new Error(`${target.kind}: refused without a failed step`)
    } else {
      tally.failedAt[judgement.failed] = (tally.failedAt[judgement.failed] ?? 0) + 1
    }
    yield { target, parts, judgement }
  }
  return tally
}
