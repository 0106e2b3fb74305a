import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparable, compareEvidence } from './compareEvidence.ts'
import { missingFixtures } from './fixtures.ts'
import type { Kind } from './fuzzTargets.ts'
import {
  recordedDcap,
  recordedGpus,
  recordedNitro,
  recordedSnp,
  simulatedEvidence,
} from './recordedEvidence.ts'
import { PEERS, startPeer } from './secondOpinion.ts'

// The long run is `node packages/verify/scripts/compareEvidence.ts`; these slices take another part of it each day.
const seed = Math.floor(Date.now() / 86_400_000)
const evidence = comparable(await simulatedEvidence())
if (missingFixtures('nitro') === false) evidence.push(...recordedNitro().slice(0, 2))
if (missingFixtures('tdx') === false) evidence.push(...recordedDcap())
if (missingFixtures('snp') === false) evidence.push(...recordedSnp())
if (missingFixtures('nvidia') === false) evidence.push(...recordedGpus().slice(0, 2))
/** A first build of a Go program takes longer than a test may; the script waits for it. */
const GO_TIMEOUT = 30_000

for (const kind of ['nitro', 'dcap', 'snp', 'gpu', 'nras'] satisfies Kind[]) {
  test(`${kind}: ${PEERS[kind]} differs only where it does not read (seed ${seed})`, async (t) => {
    const peer = startPeer(kind, GO_TIMEOUT)
    if (typeof peer === 'string') {
      t.skip(peer)
      return
    }
    t.after(() => peer.close())
    const of = evidence.filter((one) => one.kind === kind)
    const result = await compareEvidence(peer, of, 50, seed)
    assert.deepEqual(result.unexplained, [])
    assert.ok(of.length > 0 && result.agreed > 0.8 * result.mutants, JSON.stringify(result))
  })
}
