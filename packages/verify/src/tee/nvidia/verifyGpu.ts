import type { GpuEvidence } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import { Checklist, type TeeReport } from '../checklist.ts'
import { matchRoot, type TrustedRoot } from '../trustedRoot.ts'
import type { Certificate } from '../x509/certificate.ts'
import { validityProblem } from '../x509/chain.ts'
import { type RevokedCertificate, revokedProblem } from '../x509/revoked.ts'
import { verifyP384 } from '../x509/scheme.ts'
import { deviceIdOf, firmwareOf, gpuChainProblem, isGpu, modelOf, readGpuChain } from './gpuChain.ts'
import { type GpuReport, parseGpuReport } from './gpuReport.ts'
import type { GoldenMeasurement } from './rim.ts'

/** keccak256 of the DER of NVIDIA's device identity CA, the root of every GPU's chain. */
export const NVIDIA_ROOT_HASH: Hex = '0xb0825ee3e68af4eefdd13c8168d52b7dfe6ebb4ff178b601ecb8aa78ba034408'

export type VerifyGpuParameters = {
  /** Approved roots (NVIDIA's device identity CA). */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds. A report carries no time of its own: freshness comes from the nonce. */
  now: bigint
  /** 32 bytes. Of an enclave: `gpuNonce(enclaveBinding(…))`, since a GPU's report names no virtual machine. */
  expectedNonce?: Hex | undefined
  /** Golden values of the approved driver and VBIOS manifests (`readRim`), each register once. */
  golden?: readonly GoldenMeasurement[] | undefined
  /** Revoked certificates by issuer and serial, e.g. from NVIDIA's OCSP service, which a pure verifier cannot ask. */
  revoked?: readonly RevokedCertificate[] | undefined
  /** Device ids known to be broken or stolen. */
  deniedDevices?: readonly Hex[] | undefined
}

/** The checks, in the order of their dependence; a name never changes its meaning. */
export const GPU_STEPS = [
  'reportShape', // SPDM 1.1 request and signed response, every length exact
  'rootApproved', // the first certificate is an approved root, byte for byte
  'chainLinks', // root → identity → provisioner → device → firmware
  'chainTime', // every certificate holds now
  'notRevoked', // no certificate of the chain was revoked
  'firmware', // the key that signed was derived for the firmware that the report names
  'signature', // the leaf signed this report
  'deviceKind', // policy: a GPU, not another device under the same root
  'nonce', // answers this challenge, and so this enclave
  'measurements', // registers hold the golden values
  'deviceAccepted', // policy: deny list
] as const
export type GpuStepName = (typeof GPU_STEPS)[number]

export type GpuCode =
  | 'root_unknown'
  | 'chain_broken'
  | 'certificate_time'
  | 'revoked'
  | 'firmware_differs'
  | 'report_signature'
  | 'not_a_gpu'
  | 'nonce_differs'
  | 'rim_conflict' // two manifests claim the same register
  | 'measurement_missing'
  | 'measurement_differs'
  | 'device_denied'

export type GpuAttestation = {
  kind: 'nvidia-gpu'
  hardwareType: Hex
  rootHash: Hex
  /** keccak256 of the device certificate's key: count each device once, or one GPU stands for many. */
  deviceId: Hex
  /** As its certificate calls it, e.g. "GH100 A01 GSP BROM". */
  model: string
  nonce: Hex
  driverVersion: string | undefined
  vbiosVersion: Hex | undefined
  measurements: ReadonlyMap<number, Hex>
  /** Identity of the report for de-duplication: (r, n − s) signs the same bytes, so the signature is no part of it. */
  payloadHash: Hex
}

export type GpuVerification = TeeReport<GpuStepName, GpuCode, GpuAttestation>

/** Filled by the first checks, read behind them. */
type Found = { report: GpuReport; chain: Certificate[]; root: TrustedRoot; deviceId: Hex }

/** Register of the first video decoder. */
const NVDEC0_INDEX = 35

/**
 * Verifies an NVIDIA GPU's attestation report and its chain. Pure, bounded, and without exceptions: hostile bytes give a
 * failed step. Without golden values the measurements are genuine but unjudged, and that step is skipped.
 */
export function verifyGpu(evidence: GpuEvidence, parameters: VerifyGpuParameters): GpuVerification {
  const list = new Checklist<GpuStepName, GpuCode>()
  const found = {} as Found
  checkValidity(list, evidence, parameters, found)
  checkPolicy(list, parameters, found)
  return list.report(() => attestationOf(found))
}

function checkValidity(
  list: Checklist<GpuStepName, GpuCode>,
  evidence: GpuEvidence,
  { roots, now, revoked }: VerifyGpuParameters,
  found: Found,
): void {
  list.check('reportShape', () => {
    found.report = parseGpuReport(evidence.report)
    return undefined
  })
  list.check('rootApproved', () => {
    const { root, rootHash } = matchRoot(evidence.certificates[0], roots)
    if (root === undefined) return { code: 'root_unknown', reason: `root ${rootHash} is not approved` }
    found.root = root
    return undefined
  })
  list.check('chainLinks', () => {
    found.chain = readGpuChain(evidence.certificates)
    const reason = gpuChainProblem(found.chain)
    if (reason !== undefined) return { code: 'chain_broken', reason }
    found.deviceId = deviceIdOf(found.chain)
    return undefined
  })
  list.check('chainTime', () => {
    const reason = validityProblem(found.chain, now)
    return reason === undefined ? undefined : { code: 'certificate_time', reason }
  })
  if (revoked === undefined)
    list.skip('notRevoked', 'validity', 'no answer of the revocation service was given')
  else {
    list.check('notRevoked', () => {
      const reason = revokedProblem(found.chain, revoked)
      return reason === undefined ? undefined : { code: 'revoked', reason }
    })
  }
  const firmwareId = found.report?.firmwareId
  if (found.report !== undefined && firmwareId === undefined) {
    list.skip('firmware', 'validity', 'the report names no firmware, as those of older drivers do not')
  } else {
    list.check('firmware', () => {
      // The first of the digests is the firmware's own (NVIDIA's verifier compares that one too).
      const [known] = firmwareOf(found.chain[found.chain.length - 1] as Certificate)
      if (known !== undefined && known === firmwareId) return undefined
      const reason = `the report names firmware ${firmwareId}, the key is another's`
      return { code: 'firmware_differs', reason }
    })
  }
  list.check('signature', () => {
    const { publicKey } = found.chain[found.chain.length - 1] as Certificate
    return verifyP384(publicKey, found.report.signed, found.report.signature, 'compact')
      ? undefined
      : { code: 'report_signature', reason: 'the leaf certificate did not sign this report' }
  })
}

function checkPolicy(
  list: Checklist<GpuStepName, GpuCode>,
  { expectedNonce, golden, deniedDevices }: VerifyGpuParameters,
  found: Found,
): void {
  list.policy('deviceKind', () => {
    const model = modelOf(found.chain)
    return isGpu(model) ? undefined : { code: 'not_a_gpu', reason: `${JSON.stringify(model)} is no GPU` }
  })
  if (expectedNonce === undefined) list.skip('nonce', 'policy', 'no nonce was given to compare with')
  else {
    list.policy('nonce', () =>
      found.report.nonce === expectedNonce.toLowerCase()
        ? undefined
        : { code: 'nonce_differs', reason: `the nonce is ${found.report.nonce}, expected ${expectedNonce}` },
    )
  }
  if (golden === undefined) {
    list.skip('measurements', 'policy', 'no reference manifest (RIM) was given to compare with')
  } else list.policy('measurements', () => measurementProblem(found.report, golden))
  list.policy('deviceAccepted', () =>
    deniedDevices?.some((denied) => denied.toLowerCase() === found.deviceId)
      ? { code: 'device_denied', reason: `device ${found.deviceId} is on the deny list` }
      : undefined,
  )
}

function measurementProblem(
  { measurements, nvdec0Disabled }: GpuReport,
  golden: readonly GoldenMeasurement[],
): { code: GpuCode; reason: string } | undefined {
  const seen = new Set<number>()
  for (const { index, values } of golden) {
    if (seen.has(index)) return { code: 'rim_conflict', reason: `two manifests claim register ${index}` }
    seen.add(index)
    if (index === NVDEC0_INDEX && nvdec0Disabled) continue
    const found = measurements.get(index)
    if (found === undefined) {
      return { code: 'measurement_missing', reason: `the report has no register ${index}` }
    }
    if (!values.some((value) => value.toLowerCase() === found)) {
      return { code: 'measurement_differs', reason: `register ${index} is ${found}, which is not golden` }
    }
  }
  return seen.size > 0 ? undefined : { code: 'measurement_missing', reason: 'there are no golden values' }
}

function attestationOf({ report, root, deviceId, chain }: Found): GpuAttestation {
  return {
    kind: 'nvidia-gpu',
    hardwareType: root.hardwareType,
    rootHash: root.rootHash,
    deviceId,
    model: modelOf(chain),
    nonce: report.nonce,
    driverVersion: report.driverVersion,
    vbiosVersion: report.vbiosVersion,
    measurements: report.measurements,
    payloadHash: keccak256(report.signed),
  }
}

/** Device ids that occur more than once among reports that were taken to be of different GPUs. */
export function repeatedDevices(attestations: readonly Pick<GpuAttestation, 'deviceId'>[]): Hex[] {
  const ids = attestations.map(({ deviceId }) => deviceId)
  return [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))]
}
