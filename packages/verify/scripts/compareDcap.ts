/**
 * Compares our verdicts on DCAP evidence with those of dcap-qvl, on sound evidence and on mutants of it.
 *   node packages/verify/scripts/compareDcap.ts [--mutants 3000] [--seed 1]      (mutants of each piece of evidence)
 * Needs python3 and pip, which installs dcap-qvl on first use. Ends with status 1 at any unexplained difference.
 */
import { parseArgs } from 'node:util'
import { verifyDcap } from '../src/index.ts'
import { compareOnMutants } from '../test/tee/compareDcap.ts'
import { recordedEvidence } from '../test/tee/dcapFixtures.ts'
import { disagreement, rootIn, startDcapQvl } from '../test/tee/dcapQvl.ts'
import { missingFixtures } from '../test/tee/fixtures.ts'
import { simulateDcap } from '../test/tee/simulatedDcap.ts'

const { values } = parseArgs({
  options: { mutants: { type: 'string', default: '3000' }, seed: { type: 'string', default: '1' } },
})
const qvl = startDcapQvl()
if (typeof qvl === 'string') throw new Error(qvl)
const missing = missingFixtures('tdx')
if (missing !== false) console.log(`simulated evidence only: ${missing}`)
const evidence = [
  simulateDcap(),
  simulateDcap({ version: 5 }),
  simulateDcap({ kind: 'sgx' }),
  ...(missing === false ? recordedEvidence() : []),
].map((sound) => ({ ...sound, root: rootIn(sound) }))

for (const { quote, collateral, parameters, root } of evidence) {
  const verdict = await qvl.judge({ quote, collateral, parameters }, root)
  const difference = disagreement(verifyDcap(quote, collateral, parameters), verdict)
  console.log('sound evidence:', difference ?? `agreed, ${JSON.stringify(verdict)}`)
  if (difference !== undefined) process.exitCode = 1
}
const result = await compareOnMutants(qvl, evidence, Number(values.mutants), Number(values.seed))
console.log(result)
if (result.unexplained.length > 0) process.exitCode = 1
await qvl.close()
