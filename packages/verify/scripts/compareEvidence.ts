/**
 * Compares our verdicts on Nitro, DCAP, SEV-SNP, GPU and NRAS evidence with those of independent verifiers, on sound evidence
 * and on mutants of it.
 *   node packages/verify/scripts/compareEvidence.ts [--mutants 10000] [--seed 1] [--kind snp]   (mutants for each peer)
 * Needs python3 with pip, and Go for SEV-SNP; they install or build the verifiers on first use. Ends with status 1 at any
 * unexplained difference or missing verifier.
 */
import { parseArgs } from 'node:util'
import { compareEvidence } from '../test/tee/compareEvidence.ts'
import { allEvidence } from '../test/tee/recordedEvidence.ts'
import { PEERS } from '../test/tee/secondOpinion.ts'

const { values } = parseArgs({
  options: {
    mutants: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    kind: { type: 'string' },
  },
})
const evidence = await allEvidence(console.log)

for (const peer of PEERS.filter(({ kind }) => values.kind === undefined || kind === values.kind)) {
  const line = peer.start(600_000)
  if (typeof line === 'string') {
    console.log(`${peer.kind}: no second opinion of ${peer.name}: ${line}`)
    process.exitCode = 1
    continue
  }
  const result = await compareEvidence(line, peer, evidence, Number(values.mutants), Number(values.seed))
  console.log(`${peer.kind}: ${peer.name}`, result)
  if (result.unexplained.length > 0) process.exitCode = 1
  await line.close()
}
