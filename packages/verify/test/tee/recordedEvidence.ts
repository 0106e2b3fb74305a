/** Sound evidence of each kind, recorded on real hardware where it is on this machine, and simulated everywhere. */
import { type GpuEvidence, HARDWARE_NITRO, HARDWARE_NITRO_SIM, HARDWARE_SNP, tag } from '@assay/protocol'
import type { Hex } from 'viem'
import {
  AMD_ROOT_HASHES,
  AWS_NITRO_ROOT_HASH,
  type DcapEvidence,
  type GpuEvidenceEntry,
  type NrasTokens,
  NVIDIA_ROOT_HASH,
  parseGpuEvidence,
  type SnpEvidence,
  type VerifyDcapParameters,
  type VerifyGpuParameters,
  type VerifyNitroParameters,
  type VerifyNrasParameters,
  type VerifySnpParameters,
} from '../../src/index.ts'
import { simulateNitro } from '../simulatedNitro.ts'
import { intelRoots, recorded } from './dcapFixtures.ts'
import { fixture, fixtureText, missingFixtures, pemFixture } from './fixtures.ts'
import { type DcapChanges, simulateDcap } from './simulatedDcap.ts'
import { simulateGpu } from './simulatedGpu.ts'
import { NRAS_AT, nrasJwks, simulateNras } from './simulatedNras.ts'
import { simulateSnp } from './simulatedSnp.ts'

export type RecordedEvidence = { name: string } & (
  | { kind: 'nitro'; document: Uint8Array; root: Uint8Array; parameters: VerifyNitroParameters }
  | { kind: 'dcap'; evidence: DcapEvidence; parameters: VerifyDcapParameters }
  | { kind: 'snp'; evidence: SnpEvidence; parameters: VerifySnpParameters }
  | { kind: 'gpu'; evidence: GpuEvidence; parameters: VerifyGpuParameters }
  | { kind: 'nras'; tokens: NrasTokens; parameters: VerifyNrasParameters }
)

const FOR_EVER = Object.fromEntries([0, 1, 2, 3, 4].map((at) => [at, { to: 253_402_300_799 }]))

function simulatedDcap(name: string, changes: DcapChanges): Extract<RecordedEvidence, { kind: 'dcap' }> {
  const { quote, collateral, parameters } = simulateDcap(changes)
  return { name, kind: 'dcap', evidence: { quote, collateral }, parameters }
}

/** One of each kind under local roots. */
export async function simulatedEvidence(): Promise<RecordedEvidence[]> {
  const at = 1_770_000_000
  const nitro = await simulateNitro({ at, userData: new Uint8Array(32).fill(7) })
  const roots = [{ rootHash: nitro.rootHash, hardwareType: HARDWARE_NITRO_SIM }]
  return [
    {
      ...{ name: 'simulated Nitro', kind: 'nitro', document: nitro.document },
      root: nitro.certificates[0] as Uint8Array,
      parameters: { roots, now: BigInt(at), revoked: [] },
    },
    simulatedDcap('simulated TDX 1.0', {}),
    simulatedDcap('simulated TDX 1.5', { version: 5, pckCrl: { revoked: [7, 8, 9] } }),
    simulatedDcap('simulated SGX', { kind: 'sgx' }),
    { name: 'simulated Genoa', kind: 'snp', ...simulateSnp({ crl: { revoked: [7] } }) },
    { name: 'simulated Turin', kind: 'snp', ...simulateSnp({ product: 'Turin', version: 5 }) },
    // Valid to the end of 9999 as NVIDIA's are: its own verifier reads the machine's clock.
    { name: 'simulated GPU', kind: 'gpu', ...simulateGpu({ certificates: FOR_EVER }) },
    {
      ...{ name: 'simulated NRAS', kind: 'nras', tokens: simulateNras() },
      parameters: { jwks: nrasJwks, now: BigInt(NRAS_AT) },
    },
  ]
}

/** Real reports accepted at their own time; Milan is allowed here, so that only validity decides. */
export function recordedNitro(): Extract<RecordedEvidence, { kind: 'nitro' }>[] {
  const [root] = pemFixture('nitro/aws-nitro-root-g1.pem') as [Uint8Array]
  const roots = [{ rootHash: AWS_NITRO_ROOT_HASH, hardwareType: HARDWARE_NITRO }]
  const documents: [string, bigint][] = [
    ['dstack-2025-12-25.bin', 1_766_668_537n],
    ['evervault-valid-beta.bin', 1_665_651_482n],
    ['marlin-sample1.bin', 1_708_930_921n],
    ['og-evm-2026-02-12.bin', 1_770_918_962n],
  ]
  return documents.map(([name, now]) => ({
    ...{ name, kind: 'nitro', document: fixture(`nitro/${name}`), root },
    parameters: { roots, now },
  }))
}

export function recordedDcap(): Extract<RecordedEvidence, { kind: 'dcap' }>[] {
  return (['sgx_quote', 'tdx_quote'] as const).map((name) => {
    const { quote, collateral, now } = recorded(name)
    return { name, kind: 'dcap', evidence: { quote, collateral }, parameters: { roots: intelRoots, now } }
  })
}

export function recordedSnp(): Extract<RecordedEvidence, { kind: 'snp' }>[] {
  const [ask, ark] = pemFixture('snp/ask_ark_milan.pem') as [Uint8Array, Uint8Array]
  return [
    {
      name: 'virtee-report-milan.bin',
      kind: 'snp',
      evidence: {
        report: fixture('snp/virtee-report-milan.bin'),
        certificates: [ark, ask, fixture('snp/virtee-vcek-milan.der')],
      },
      parameters: {
        roots: [{ rootHash: AMD_ROOT_HASHES.Milan, hardwareType: HARDWARE_SNP }],
        now: BigInt(Date.UTC(2024, 0, 1) / 1000),
        policy: { products: ['Milan'] },
      },
    },
  ]
}

export type RecordedGpu = Extract<RecordedEvidence, { kind: 'gpu' }> & { nonce: Hex }

/** Nine H100, each with the nonce that it was asked with. */
export function recordedGpus(): RecordedGpu[] {
  const parameters: VerifyGpuParameters = {
    roots: [{ rootHash: NVIDIA_ROOT_HASH, hardwareType: tag('nvidia-gpu') }],
    now: BigInt(Date.UTC(2026, 0, 1) / 1000),
  }
  const alone: GpuEvidenceEntry = {
    nonce: '0x931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb',
    evidence: {
      report: new Uint8Array(Buffer.from(fixtureText('nvidia/hopperAttestationReport.hex').trim(), 'hex')),
      // The driver hands the chain out leaf first.
      certificates: pemFixture('nvidia/hopperCertChain.pem').reverse(),
    },
  }
  const eight = parseGpuEvidence(fixtureText('nvidia/ppcie-gpu_evidence.json'))
  return [alone, ...eight].map(({ nonce, evidence }, at) => ({
    ...{ name: `H100 ${at}`, kind: 'gpu', evidence, parameters },
    nonce: nonce as Hex,
  }))
}

/** All of the above; where recordings are not on this machine, a line says so. */
export async function allEvidence(say: (line: string) => void): Promise<RecordedEvidence[]> {
  const evidence = await simulatedEvidence()
  for (const [folder, recorded] of [
    ['nitro', recordedNitro],
    ['tdx', recordedDcap],
    ['snp', recordedSnp],
    ['nvidia', recordedGpus],
  ] as const) {
    const missing = missingFixtures(folder)
    if (missing === false) evidence.push(...recorded())
    else say(`${folder}: simulated evidence only, since ${missing}`)
  }
  return evidence
}
