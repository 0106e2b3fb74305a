/**
 * The long run of the fuzzers of Nitro, DCAP, SEV-SNP, GPU and NRAS evidence, simulated and (where it is on this machine)
 * recorded; each kind on its own. At the parsers, mutants that reach a block of code for the first time are mutated further.
 *   node packages/verify/scripts/fuzzEvidence.ts [--parsers 1000000] [--verifier 20000] [--seed 1] [--kind nitro]
 * Prints a tally of each; ends with an error at the first mutant that crashes, dawdles, or passes for another.
 */
import { parseArgs } from 'node:util'
import { BlockCoverage } from '../test/tee/blockCoverage.ts'
import { fuzzEvidence, fuzzEvidenceParsers, type VerifierTally } from '../test/tee/fuzzEvidence.ts'
import { fuzzTarget, KINDS } from '../test/tee/fuzzTargets.ts'
import { allEvidence } from '../test/tee/recordedEvidence.ts'

const { values } = parseArgs({
  options: {
    parsers: { type: 'string', default: '1000000' },
    verifier: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    kind: { type: 'string' },
  },
})
const seed = Number(values.seed)
const evidence = await allEvidence(console.log)

for (const kind of KINDS.filter((one) => values.kind === undefined || one === values.kind)) {
  const targets = evidence.filter((one) => one.kind === kind).map(fuzzTarget)
  const guide = new BlockCoverage()
  console.log(`${kind} parsers`, fuzzEvidenceParsers(targets, Number(values.parsers), seed, guide))
  guide.close()
  const tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 }
  for (const _ of fuzzEvidence(targets, Number(values.verifier), seed, tally)) {
    if ((tally.mutants + 1) % 5_000 === 0) console.log(`${kind} verifier ${tally.mutants + 1}`)
  }
  console.log(`${kind} verifier`, tally)
}
