import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingFixtures } from './fixtures.ts'
import { fuzzEvidence, fuzzEvidenceParsers, type VerifierTally } from './fuzzEvidence.ts'
import { type FuzzTarget, fuzzTarget, KINDS, type Kind } from './fuzzTargets.ts'
import {
  recordedDcap,
  recordedGpus,
  recordedNitro,
  recordedSnp,
  simulatedEvidence,
} from './recordedEvidence.ts'

// The long run is `node packages/verify/scripts/fuzzEvidence.ts`; these slices take another part of it each day.
const seed = Math.floor(Date.now() / 86_400_000)
const targets = (await simulatedEvidence()).map(fuzzTarget)
const of = (kind: Kind) => targets.filter((target) => target.kind === kind)

function tallyOf(all: readonly FuzzTarget[], count: number): VerifierTally {
  const tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 }
  for (const _ of fuzzEvidence(all, count, seed, tally)) {
    // The generator throws at the first mutant that passes for another.
  }
  return tally
}

for (const kind of KINDS) {
  test(`${kind}: parsers refuse mutants without crashing (seed ${seed})`, () => {
    const tally = fuzzEvidenceParsers(of(kind), 15_000, seed)
    assert.equal(tally.read + tally.refused, 15_000)
    assert.ok(tally.refused > 3_000 && tally.read > 100, JSON.stringify(tally))
  })

  test(`${kind}: no mutant passes for another (seed ${seed})`, () => {
    const tally = tallyOf(of(kind), 100)
    assert.equal(tally.mutants, 100)
    assert.ok(Object.keys(tally.failedAt).length >= 3, JSON.stringify(tally))
  })
}

for (const [kind, recorded] of [
  ['nitro', recordedNitro],
  ['tdx', recordedDcap],
  ['snp', recordedSnp],
  ['nvidia', recordedGpus],
] as const) {
  test(`${kind}: no mutant of recorded evidence passes for another (seed ${seed})`, {
    skip: missingFixtures(kind),
  }, () => {
    const tally = tallyOf(recorded().map(fuzzTarget), 60)
    assert.equal(tally.mutants, 60)
    assert.ok(Object.keys(tally.failedAt).length >= 2, JSON.stringify(tally))
  })
}

test('the twin of every signature is accepted as the same evidence', () => {
  for (const target of targets) {
    const twin = target.twin(target.parts)
    assert.notDeepEqual(twin, target.parts, target.kind)
    assert.deepEqual(target.judge(twin), target.judge(target.parts), target.kind)
  }
})
