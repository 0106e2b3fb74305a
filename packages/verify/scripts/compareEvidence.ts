/**
 * Compares our verdicts on Nitro, DCAP, SEV-SNP, GPU and NRAS evidence with those of independent verifiers, on sound evidence
 * and on mutants of it.
 *   node packages/verify/scripts/compareEvidence.ts [--mutants 2500] [--seed 1] [--kind snp]   (mutants of each piece)
 * Needs python3 with pip, and Go for SEV-SNP; they install or build the verifiers on first use. Ends with status 1 at any
 * unexplained difference or missing verifier.
 */
import { parseArgs } from 'node:util'
import { comparable, compareEvidence } from '../test/tee/compareEvidence.ts'
import { missingFixtures } from '../test/tee/fixtures.ts'
import type { Kind } from '../test/tee/fuzzTargets.ts'
import {
  recordedDcap,
  recordedGpus,
  recordedNitro,
  recordedSnp,
  simulatedEvidence,
} from '../test/tee/recordedEvidence.ts'
import { PEERS, startPeer } from '../test/tee/secondOpinion.ts'

const { values } = parseArgs({
  options: {
    mutants: { type: 'string', default: '2500' },
    seed: { type: 'string', default: '1' },
    kind: { type: 'string' },
  },
})
const evidence = comparable(await simulatedEvidence())
for (const [folder, recorded] of [
  ['nitro', recordedNitro],
  ['tdx', recordedDcap],
  ['snp', recordedSnp],
  ['nvidia', recordedGpus],
] as const) {
  const missing = missingFixtures(folder)
  if (missing === false) evidence.push(...recorded())
  else console.log(`${folder}: simulated evidence only, since ${missing}`)
}

const kinds: Kind[] = ['nitro', 'dcap', 'snp', 'gpu', 'nras']
for (const kind of kinds.filter((one) => values.kind === undefined || one === values.kind)) {
  const peer = startPeer(kind, 600_000)
  if (typeof peer === 'string') {
    console.log(`${kind}: no second opinion: ${peer}`)
    process.exitCode = 1
    continue
  }
  const of = evidence.filter((one) => one.kind === kind)
  const result = await compareEvidence(peer, of, Number(values.mutants), Number(values.seed))
  console.log(`${kind}: ${PEERS[kind]} on ${of.length} pieces of evidence`, result)
  if (result.unexplained.length > 0) process.exitCode = 1
  await peer.close()
}
