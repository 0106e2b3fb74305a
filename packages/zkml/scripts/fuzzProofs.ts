/**
 * The long run of `test/mutants.test.ts`: mutates honest proofs of tiny circuits and of the trained models, and ends with an
 * error at the first mutant that the verifier accepts. A run repeats from its seed.
 *   node packages/zkml/scripts/fuzzProofs.ts [--tiny 1000000] [--full 10000] [--seed 1]
 */
import { parseArgs } from 'node:util'
import {
  fullSizeSubjects,
  refuseMutants,
  type Subject,
  type Tally,
  tinySubjects,
} from '../test/support/mutants.ts'

const { values } = parseArgs({
  options: {
    tiny: { type: 'string', default: '1000000' },
    full: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
})
/** Mutants of one proof; then the circuit's next statement is proved, so that a run sees many proofs. */
const A_PROOF = 2_000

function campaign(kind: string, wanted: number, subjects: (seed: number) => Subject[]): void {
  const total: Tally = { mutants: 0, malformed: 0, invalid: 0 }
  for (let seed = Number(values.seed); total.mutants < wanted; seed++) {
    for (const subject of subjects(seed)) {
      const count = Math.min(A_PROOF, wanted - total.mutants)
      const { mutants, malformed, invalid } = refuseMutants(subject, count, seed)
      total.mutants += mutants
      total.malformed += malformed
      total.invalid += invalid
      if (total.mutants % 50_000 === 0) console.log(`${kind}: ${total.mutants} mutants refused`)
    }
  }
  const { mutants, malformed, invalid } = total
  console.log(`${kind}: ${mutants} mutants, all refused: ${malformed} malformed, ${invalid} invalid`)
}

campaign('tiny', Number(values.tiny), tinySubjects)
campaign('full size', Number(values.full), fullSizeSubjects)
