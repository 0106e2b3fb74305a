import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareEvidence } from './compareEvidence.ts'
import { missingFixtures } from './fixtures.ts'
import {
  recordedDcap,
  recordedGpus,
  recordedNitro,
  recordedSnp,
  simulatedEvidence,
} from './recordedEvidence.ts'
import { PEERS } from './secondOpinion.ts'

// The long run is `node packages/verify/scripts/compareEvidence.ts`; these slices take another part of it each day.
const seed = Math.floor(Date.now() / 86_400_000)
const evidence = await simulatedEvidence()
if (missingFixtures('nitro') === false) evidence.push(...recordedNitro().slice(0, 2))
if (missingFixtures('tdx') === false) evidence.push(...recordedDcap())
if (missingFixtures('snp') === false) evidence.push(...recordedSnp())
if (missingFixtures('nvidia') === false) evidence.push(...recordedGpus().slice(0, 2))
/** A first build of a Go program takes longer than a test may; the script waits for it. */
const GO_TIMEOUT = 30_000

for (const peer of PEERS) {
  test(`${peer.kind}: ${peer.name} differs only where it does not read (seed ${seed})`, async (t) => {
    const line = peer.start(GO_TIMEOUT)
    if (typeof line === 'string') {
      t.skip(line)
      return
    }
    t.after(() => line.close())
    const result = await compareEvidence(line, peer, evidence, 150, seed)
    assert.deepEqual(result.unexplained, [])
    assert.ok(result.mutants >= 150 && result.agreed > 0.8 * result.mutants, JSON.stringify(result))
  })
}
