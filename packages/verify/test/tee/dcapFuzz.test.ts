import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyDcap } from '../../src/index.ts'
import { recordedEvidence } from './dcapFixtures.ts'
import { missingFixtures } from './fixtures.ts'
import { fuzzParsers, fuzzVerifier, type VerifierTally } from './fuzzDcap.ts'
import { mutate, randomFrom } from './mutate.ts'
import { dcapKeys, simulateDcap } from './simulatedDcap.ts'

// The long run is `node packages/verify/scripts/fuzzDcap.ts`; these slices take another part of it each day.
const seed = Math.floor(Date.now() / 86_400_000)
const simulated = [
  simulateDcap(),
  simulateDcap({ version: 5 }),
  simulateDcap({ kind: 'sgx' }),
  simulateDcap({ pckCrl: { revoked: [7, 8, 9] } }),
]

test(`parsers refuse mutants by their own errors alone (seed ${seed})`, () => {
  const tally = fuzzParsers(simulated, 20_000, seed)
  assert.equal(tally.read + tally.refused, 20_000)
  assert.ok(tally.refused > 10_000 && tally.read > 100, JSON.stringify(tally))
})

for (const [what, sound, skip] of [
  ['simulated', () => simulated, false],
  ['recorded', recordedEvidence, missingFixtures('tdx')],
] as const) {
  test(`no mutant of ${what} evidence passes for another (seed ${seed})`, { skip }, () => {
    const tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 }
    for (const _ of fuzzVerifier(sound(), 300, seed, tally)) {
      // The generator throws at the first that does.
    }
    assert.equal(tally.mutants, 300)
    assert.ok(Object.keys(tally.failedAt).length >= 5, JSON.stringify(tally))
  })
}

test('even what Intel signs may be malformed in every way and gives a failed step, never an exception', () => {
  const random = randomFrom(seed)
  const [sound] = simulated as [ReturnType<typeof simulateDcap>]
  const bytes = new TextEncoder().encode(sound.collateral.tcbInfo)
  for (let count = 0; count < 100; count++) {
    const value: unknown = (() => {
      try {
        return JSON.parse(new TextDecoder().decode(mutate(bytes, [bytes], random)))
      } catch {
        return {}
      }
    })()
    const tcbInfo = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
    const made = simulateDcap({ tcbInfo, tcbInfoKey: dcapKeys.tcb })
    const report = verifyDcap(made.quote, made.collateral, made.parameters)
    assert.equal(
      report.ok,
      report.steps.every(({ outcome }) => outcome !== 'failed'),
    )
  }
})
