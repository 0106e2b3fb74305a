import type { Evidence } from '@assay/protocol'
import type { Hex } from 'viem'
import { readEventLog, type TdEvent } from './dcap/eventLog.ts'
import { decodeDcapEvidence } from './dcap/evidence.ts'
import type { DcapStepName } from './dcap/steps.ts'
import { type DcapReport, verifyDcap } from './dcap/verifyDcap.ts'
import { gpusProblem } from './judgeGpus.ts'
import { type NitroStepName, verifyNitro } from './nitro/verifyNitro.ts'
import { dcapPolicyOf, type Rules, snpPolicyOf } from './policy/policyOfRules.ts'
import { deniedCertificates, rulesOfEvidence } from './policy/rulesOfEvidence.ts'
import { decodeSnpEvidence } from './snp/evidence.ts'
import { type SnpEvidence, type SnpStepName, type SnpVerification, verifySnp } from './snp/verifySnp.ts'

/** What the registry says of a key; evidence must bear out all of it. */
export type EvidenceClaims = {
  /** The one root that the key was registered under: what it vouches for is what the registry approved it for. */
  rootHash: Hex
  hardwareType: Hex
  measurement: Hex
  /** `enclaveBinding(…)`. */
  userData: Hex
  /** Time to judge as of, Unix seconds. */
  now: bigint
  /** What TeeRegistry said then of each of `rulesOfEvidence(…)`; absent for the default policy alone. */
  rules?: Rules | undefined
  /** Seconds before `now` at which the evidence may have been judged instead; 0 where it is judged now. */
  earlier: bigint
}

/** `gpus`: what evidence says of the GPUs beside the processor. */
export type EvidenceStepName = NitroStepName | DcapStepName | SnpStepName | 'gpus'
export type EvidenceVerdict = {
  ok: boolean
  /** The first check that failed; absent where not even the document could be read. */
  failedCheck: EvidenceStepName | undefined
  /** One clause for a person; empty where all is well. */
  reason: string
}

type Step = { name: EvidenceStepName; outcome: string; reason: string }

function verdictOf({ ok, steps }: { ok: boolean; steps: readonly Step[] }): EvidenceVerdict {
  const failed = steps.find(({ outcome }) => outcome === 'failed')
  const reason = failed === undefined ? '' : `${failed.name}: ${failed.reason}`
  return { ok, failedCheck: failed?.name, reason }
}

function judgeNitro(document: Uint8Array, claims: EvidenceClaims): EvidenceVerdict {
  const report = verifyNitro(document, {
    roots: [claims],
    now: claims.now,
    revoked: claims.rules === undefined ? undefined : deniedCertificates(document, claims.rules),
    maxAge: claims.earlier === 0n ? undefined : claims.earlier,
    expectedMeasurement: claims.measurement,
    expectedUserData: claims.userData,
  })
  return verdictOf(report)
}

function judgeDcap(document: Uint8Array, claims: EvidenceClaims): EvidenceVerdict {
  let evidence: ReturnType<typeof decodeDcapEvidence>
  let eventLog: readonly TdEvent[] | undefined
  try {
    evidence = decodeDcapEvidence(document)
    // What comes with a quote is believed where it replays to the quote's registers, and refused where it does not.
    eventLog = evidence.eventLog === undefined ? undefined : readEventLog(evidence.eventLog)
  } catch {
    return { ok: false, failedCheck: undefined, reason: 'the document is not one of DCAP evidence' }
  }
  const at = (now: bigint): DcapReport =>
    verifyDcap(evidence.quote, evidence.collateral, {
      roots: [claims],
      now,
      policy: claims.rules === undefined ? undefined : dcapPolicyOf(claims.rules),
      expected: { measurement: claims.measurement, reportData: claims.userData, eventLog },
    })
  const report = at(claims.now)
  // Collateral may have run out between the vote and the admission, but never have begun and ended within that time.
  const expired = report.steps.some(({ code }) => code.endsWith('_not_valid_then'))
  return verdictOf(expired && claims.earlier > 0n ? at(claims.now - claims.earlier) : report)
}

function judgeSnp(document: Uint8Array, claims: EvidenceClaims): EvidenceVerdict {
  let evidence: SnpEvidence
  try {
    evidence = decodeSnpEvidence(document)
  } catch {
    return { ok: false, failedCheck: undefined, reason: 'the document is not one of SEV-SNP evidence' }
  }
  const at = (now: bigint): SnpVerification =>
    verifySnp(evidence, {
      roots: [claims],
      now,
      policy: claims.rules === undefined ? undefined : snpPolicyOf(claims.rules),
      expectedMeasurement: claims.measurement,
      expectedReportData: claims.userData,
    })
  const report = at(claims.now)
  // The revocation list may have run out between the vote and the admission.
  const expired = report.steps.some(({ code }) => code === 'crl_stale' || code === 'certificate_time')
  return verdictOf(expired && claims.earlier > 0n ? at(claims.now - claims.earlier) : report)
}

const JUDGES: Readonly<Record<string, (document: Uint8Array, claims: EvidenceClaims) => EvidenceVerdict>> = {
  nitro: judgeNitro,
  'nitro-sim': judgeNitro,
  sgx: judgeDcap,
  snp: judgeSnp,
  tdx: judgeDcap,
}

/**
 * Judges registration evidence of whatever kind by what was claimed and by the rules in force, GPUs last; undefined where
 * nothing here knows the kind.
 */
export function verifyEvidence(
  { kind, document, gpus }: Pick<Evidence, 'kind' | 'document' | 'gpus'>,
  claims: EvidenceClaims,
): EvidenceVerdict | undefined {
  const judge = Object.hasOwn(JUDGES, kind) ? JUDGES[kind] : undefined
  if (judge === undefined) return undefined
  const names = rulesOfEvidence({ kind, document, gpus })
  const { rules } = claims
  // Unreadable evidence fails by itself, which says more than that its rules cannot be told.
  const verdict = judge(document, names === undefined ? { ...claims, rules: undefined } : claims)
  if (!verdict.ok) return verdict
  const unread = names?.find((name) => rules?.has(name) === false)
  if (unread !== undefined) return unruled(unread)
  const problem = gpusProblem({ gpus }, { ...claims, rules: rules ?? new Map() })
  if (problem !== undefined) return { ok: false, failedCheck: 'gpus', reason: `gpus: ${problem}` }
  return names === undefined ? unruled('all') : verdict
}

function unruled(rule: string): EvidenceVerdict {
  const reason = `what the network rules on it (${rule}) was not read`
  return { ok: false, failedCheck: undefined, reason }
}
