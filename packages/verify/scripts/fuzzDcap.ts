/**
 * The long run of the DCAP fuzzers, over simulated and (where they are on this machine) recorded evidence.
 *   node packages/verify/scripts/fuzzDcap.ts [--parsers 1000000] [--verifier 20000] [--seed 1]
 * Prints a tally of each; ends with an error at the first mutant that crashes, dawdles, or passes for another.
 */
import { parseArgs } from 'node:util'
import { recordedEvidence } from '../test/tee/dcapFixtures.ts'
import { missingFixtures } from '../test/tee/fixtures.ts'
import { fuzzParsers, fuzzVerifier, type VerifierTally } from '../test/tee/fuzzDcap.ts'
import { simulateDcap } from '../test/tee/simulatedDcap.ts'

const { values } = parseArgs({
  options: {
    parsers: { type: 'string', default: '1000000' },
    verifier: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
  },
})
const seed = Number(values.seed)
const missing = missingFixtures('tdx')
const sound = [
  simulateDcap(),
  simulateDcap({ version: 5 }),
  simulateDcap({ kind: 'sgx' }),
  ...(missing === false ? recordedEvidence() : []),
]
if (missing !== false) console.log(`simulated evidence only: ${missing}`)

console.log('parsers', fuzzParsers(sound, Number(values.parsers), seed))
const tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 }
for (const _ of fuzzVerifier(sound, Number(values.verifier), seed, tally)) {
  if ((tally.mutants + 1) % 1_000 === 0) console.log(`verifier ${tally.mutants + 1}`)
}
console.log('verifier', tally)
