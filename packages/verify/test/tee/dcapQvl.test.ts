import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { verifyDcap } from '../../src/index.ts'
import { intelRoots, recorded, seconds } from './dcapFixtures.ts'
import { dcapParts } from './dcapTarget.ts'
import { missingFixtures } from './fixtures.ts'
import type { LinePeer } from './linePeer.ts'
import { type RecordedEvidence, recordedDcap } from './recordedEvidence.ts'
import { PEERS, type Peer, secondOpinion } from './secondOpinion.ts'
import { type DcapChanges, simulateDcap } from './simulatedDcap.ts'

// Verdicts on mutants are compared with those of the other kinds, in compareEvidence.test.ts; here it is the status.
const peer = PEERS.find(({ kind }) => kind === 'dcap') as Peer
const started = peer.start(0)
const skip = typeof started === 'string' ? started : false
const qvl = started as LinePeer
after(() => (skip === false ? qvl.close() : undefined))

type Dcap = Extract<RecordedEvidence, { kind: 'dcap' }>

/** dcap-qvl reports an outdated platform and leaves the rest to its caller, so policy must not part us. */
async function agree(evidence: Dcap, what = ''): Promise<void> {
  const { quote, collateral } = evidence.evidence
  const policy = { minimumStatus: 'OutOfDateConfigurationNeeded' } as const
  const { attestation } = verifyDcap(quote, collateral, { ...evidence.parameters, policy })
  const { ok, status, advisoryIds } = await secondOpinion(qvl, peer, evidence, dcapParts(evidence.evidence))
  const ours = attestation && [attestation.status, ...[...attestation.advisoryIds].sort()]
  assert.deepEqual(ours, ok ? [status, ...(advisoryIds ?? [])] : undefined, `${evidence.name} ${what}`)
}

const simulated = (changes: DcapChanges): Dcap => {
  const { quote, collateral, parameters } = simulateDcap(changes)
  return { name: JSON.stringify(changes), kind: 'dcap', evidence: { quote, collateral }, parameters }
}

test('dcap-qvl gives the same verdict on recorded evidence, at its time and today', {
  skip: skip || missingFixtures('tdx'),
}, async () => {
  for (const evidence of recordedDcap()) {
    await agree(evidence, 'at its time')
    await agree({ ...evidence, parameters: { ...evidence.parameters, now: seconds('2026-11-21') } }, 'today')
  }
  const { now, ...evidence } = recorded('tdx_quote_outdated')
  await agree({ name: 'outdated', kind: 'dcap', evidence, parameters: { roots: intelRoots, now } })
})

test('dcap-qvl gives the same status on every level of platform, TDX module and quoting enclave', {
  skip,
}, async () => {
  for (const svn of [5, 4, 3, 2, 0]) {
    const componentSvns = new Array<number>(16).fill(svn)
    for (const module of [{}, { teeTcbSvn: [3, 1, 3] }]) {
      for (const qe of [{}, { qeReport: { 258: [6] } }]) {
        await agree(simulated({ componentSvns, ...module, ...qe }))
      }
    }
  }
})
