import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type VerifyDcapParameters, verifyDcap } from '../../src/index.ts'
import { compareOnMutants } from './compareDcap.ts'
import { intelRoots, recorded, recordedEvidence } from './dcapFixtures.ts'
import { type DcapQvl, disagreement, rootIn, startDcapQvl } from './dcapQvl.ts'
import { missingFixtures } from './fixtures.ts'
import type { Sound } from './fuzzDcap.ts'
import { simulateDcap } from './simulatedDcap.ts'

// The long run is `node packages/verify/scripts/compareDcap.ts`; this slice takes another part of it each day.
const seed = Math.floor(Date.now() / 86_400_000)
const started = startDcapQvl()
const skip = typeof started === 'string' ? started : false
const qvl = started as DcapQvl
after(() => (skip === false ? qvl.close() : undefined))
/** dcap-qvl reports an outdated platform and leaves the rest to its caller, so policy must not part us. */
const policy: VerifyDcapParameters['policy'] = { minimumStatus: 'OutOfDateConfigurationNeeded' }

async function agree(sound: Sound, what: string): Promise<void> {
  const { quote, collateral } = sound
  const parameters = { ...sound.parameters, policy }
  const verdict = await qvl.judge(sound, rootIn(sound))
  assert.equal(disagreement(verifyDcap(quote, collateral, parameters), verdict), undefined, what)
}

test('dcap-qvl gives the same verdict on recorded evidence, at its time and today', {
  skip: skip || missingFixtures('tdx'),
}, async () => {
  for (const sound of recordedEvidence()) {
    await agree(sound, 'at its time')
    await agree({ ...sound, parameters: { ...sound.parameters, now: 1_795_219_200n } }, 'today')
  }
  const { quote, collateral, now } = recorded('tdx_quote_outdated')
  await agree({ quote, collateral, parameters: { roots: intelRoots, now } }, 'outdated')
})

test('dcap-qvl gives the same status on every level of a simulated platform', { skip }, async () => {
  for (const svn of [5, 4, 3, 2, 0]) {
    const componentSvns = new Array<number>(16).fill(svn)
    for (const oldModule of [false, true]) {
      for (const oldQe of [false, true]) {
        const made = simulateDcap({
          componentSvns,
          ...(oldModule ? { teeTcbSvn: [3, 1, 3] } : {}),
          ...(oldQe ? { qeReport: { 258: [6] } } : {}),
        })
        await agree(made, `SVN ${svn}, old module ${oldModule}, old QE ${oldQe}`)
      }
    }
  }
})

test(`dcap-qvl differs on mutants only where it does not read (seed ${seed})`, { skip }, async () => {
  const sound: Sound[] = [simulateDcap(), simulateDcap({ kind: 'sgx' })]
  if (missingFixtures('tdx') === false) sound.push(...recordedEvidence())
  const evidence = sound.map((one) => ({ ...one, root: rootIn(one) }))
  const result = await compareOnMutants(qvl, evidence, 100, seed)
  assert.deepEqual(result.unexplained, [])
  assert.ok(result.agreed > 0.8 * result.mutants, JSON.stringify(result))
})
