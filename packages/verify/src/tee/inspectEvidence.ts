import { type Evidence, gpuNonce } from '@assay/protocol'
import type { Hex } from 'viem'
import { readEventLog } from './dcap/eventLog.ts'
import { decodeDcapEvidence } from './dcap/evidence.ts'
import { verifyDcap } from './dcap/verifyDcap.ts'
import { verifyNitro } from './nitro/verifyNitro.ts'
import { type GpuStepName, verifyGpu } from './nvidia/verifyGpu.ts'
import { decodeSnpEvidence } from './snp/evidence.ts'
import { verifySnp } from './snp/verifySnp.ts'
import type { TrustedRoot } from './trustedRoot.ts'
import type { EvidenceStepName } from './verifyEvidence.ts'

export type InspectParameters = {
  roots: readonly TrustedRoot[]
  /** Unix seconds. */
  now: bigint
  /** 32 bytes that the evidence must carry; not compared where absent. */
  userData?: Hex | undefined
}

type Checked<Name extends string> = {
  verdict: 'accepted' | 'valid_but_refused' | 'invalid'
  steps: readonly {
    name: Name
    question: 'validity' | 'policy'
    outcome: 'passed' | 'failed' | 'skipped'
    reason: string
  }[]
}
/** A checklist of whatever kind of evidence, and what it shows where all of it holds. */
export type Inspection = Checked<EvidenceStepName> & {
  attestation: { rootHash: Hex; measurement: Hex } | undefined
}
export type GpuInspection = Checked<GpuStepName>

function inspectNitro(document: Uint8Array, { roots, now, userData }: InspectParameters): Inspection {
  return verifyNitro(document, { roots, now, expectedUserData: userData })
}

function inspectDcap(document: Uint8Array, { roots, now, userData }: InspectParameters): Inspection {
  const { quote, collateral, eventLog: text } = decodeDcapEvidence(document)
  const eventLog = text === undefined ? undefined : readEventLog(text)
  return verifyDcap(quote, collateral, { roots, now, expected: { reportData: userData, eventLog } })
}

function inspectSnp(document: Uint8Array, { roots, now, userData }: InspectParameters): Inspection {
  return verifySnp(decodeSnpEvidence(document), { roots, now, expectedReportData: userData })
}

const INSPECTORS: Readonly<Record<string, (document: Uint8Array, by: InspectParameters) => Inspection>> = {
  nitro: inspectNitro,
  'nitro-sim': inspectNitro,
  sgx: inspectDcap,
  snp: inspectSnp,
  tdx: inspectDcap,
}

/**
 * The whole checklist of a piece of evidence, for who made it or reads it: an enclave learns from it, before it asks
 * anybody, what it is and whether it would be believed. Undefined where the document is not one of its kind.
 */
export function inspectEvidence(
  { kind, document }: Pick<Evidence, 'kind' | 'document'>,
  parameters: InspectParameters,
): Inspection | undefined {
  if (!Object.hasOwn(INSPECTORS, kind)) return undefined
  try {
    return INSPECTORS[kind]?.(document, parameters)
  } catch {
    return undefined
  }
}

/**
 * The whole checklist of each GPU, as above; `userData` is what the enclave's own evidence carries, from which the nonce
 * follows that each was to be asked with.
 */
export function inspectGpus(
  { gpus = [] }: Pick<Evidence, 'gpus'>,
  { roots, now, userData }: InspectParameters,
): GpuInspection[] {
  const expectedNonce = userData === undefined ? undefined : gpuNonce(userData)
  return gpus.map((gpu) => verifyGpu(gpu, { roots, now, expectedNonce }))
}
