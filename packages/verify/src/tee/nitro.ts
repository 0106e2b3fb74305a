import { HARDWARE_NITRO, HARDWARE_NITRO_SIM } from '@assay/protocol'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import { chainProblem } from './certificateChain.ts'
import { type CoseSign1, parseCoseSign1, sigStructure } from './cose.ts'
import { measurementOf, type NitroPayload, parseNitroPayload, registersProblem } from './nitroDocument.ts'
import { type Certificate, parseCertificate } from './x509/certificate.ts'
import { validityProblem } from './x509/chain.ts'
import { ECDSA_P384, verifyP384 } from './x509/scheme.ts'

/** Real documents have about 4,600 bytes. */
export const MAX_NITRO_DOCUMENT_BYTES = 16_384
/** Oldest document that is accepted, seconds before `now`. */
export const NITRO_MAX_AGE_SECONDS = 300n
/** Furthest a document's clock may be ahead, seconds. */
export const NITRO_MAX_AHEAD_SECONDS = 60n

export type TrustedRoot = {
  /** keccak256 of the root certificate's DER. */
  rootHash: Hex
  /** Hardware type that this root vouches for. */
  hardwareType: Hex
}

export type VerifyNitroParameters = {
  /** Approved roots. What kind of hardware a document speaks for is decided by which of these it ends in. */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds. */
  now: bigint
  /** Oldest accepted age in seconds; `NITRO_MAX_AGE_SECONDS` by default. */
  maxAge?: bigint | undefined
  /** `enclaveBinding(…)`: ties the document to one operator and one signing key. */
  expectedUserData?: Hex | undefined
  /** `nitroMeasurement(…)` that was approved. */
  expectedMeasurement?: Hex | undefined
  expectedNonce?: Hex | undefined
  /** Revoked certificates by (issuer, serial): bytes would not do, since a certificate has a malleable twin. */
  revoked?: readonly { issuer: Hex; serial: Hex }[] | undefined
}

/** The checks, in the order of their dependence; a code never changes its meaning. */
export const NITRO_STEPS = [
  'documentShape', // size, strict CBOR, COSE_Sign1 of four members
  'algorithm', // protected header {1: -35} and nothing else; 96-byte signature
  'registers', // SHA384, PCR indices and lengths, PCR 0 to 2 present
  'rootApproved', // the first certificate is an approved root, byte for byte
  'chainLinks', // every link, the CA flags, and the leaf's own limits
  'chainTime', // every certificate holds at the document's own time
  'notRevoked', // no certificate of the chain was revoked
  'signature', // the leaf signed this document
  'notDebug', // PCR 0 to 2 are not all zero
  'fresh', // neither old nor from the future
  'nonce', // answers this challenge
  'measurement', // runs the code expected
  'userData', // speaks for the key and operator expected
] as const
export type NitroStepName = (typeof NITRO_STEPS)[number]
export type NitroStep = {
  name: NitroStepName
  outcome: 'passed' | 'failed' | 'skipped'
  /** Empty where passed. */
  reason: string
}

export type NitroAttestation = {
  hardwareType: Hex
  /** 'nitro', 'nitro-sim' or 'other': from the matched root, never from the document. */
  kind: 'nitro' | 'nitro-sim' | 'other'
  rootHash: Hex
  measurement: Hex
  moduleId: string
  /** Milliseconds since the Unix epoch. */
  timestamp: bigint
  userData: Hex | undefined
  /** Identity of the document for de-duplication: (r, n − s) signs the same payload, so its bytes are none. */
  payloadHash: Hex
}

export type NitroReport = { ok: boolean; steps: NitroStep[]; attestation: NitroAttestation | undefined }

const ES384_ONLY = '0xa1013822' // {1: -35}, RFC 9053 §2.1

/** Collects outcomes; after the first failure the rest is skipped, since nothing later could be believed. */
class Checklist {
  readonly steps: NitroStep[] = []
  failed = false

  /** `problem` answers undefined where all is well. */
  check(name: NitroStepName, problem: () => string | undefined): void {
    if (this.failed) {
      this.steps.push({ name, outcome: 'skipped', reason: 'an earlier check failed' })
      return
    }
    let reason: string | undefined
    try {
      reason = problem()
    } catch (error) {
      reason = `it cannot be read: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown form'}`
    }
    this.failed = reason !== undefined
    this.steps.push({ name, outcome: this.failed ? 'failed' : 'passed', reason: reason ?? '' })
  }

  skip(name: NitroStepName, reason: string): void {
    this.steps.push({ name, outcome: 'skipped', reason })
  }
}

function equalTo(expected: Hex, found: Uint8Array | undefined, what: string): string | undefined {
  const text = found === undefined ? 'none' : bytesToHex(found)
  return text === expected.toLowerCase() ? undefined : `the ${what} is ${text}, expected ${expected}`
}

function freshness(timestamp: bigint, { now, maxAge }: VerifyNitroParameters): string | undefined {
  const limit = maxAge ?? NITRO_MAX_AGE_SECONDS
  const age = now * 1000n - timestamp
  if (age > limit * 1000n) return `the document is ${age / 1000n} s old, at most ${limit} s is accepted`
  if (age < -NITRO_MAX_AHEAD_SECONDS * 1000n) return `the document is ${-age / 1000n} s ahead`
  return undefined
}

/**
 * Verifies an AWS Nitro attestation document (or a simulated one of the same form) against approved roots.
 * Pure, bounded, and without exceptions: hostile bytes give a failed step.
 */
export function verifyNitro(document: Uint8Array, parameters: VerifyNitroParameters): NitroReport {
  const list = new Checklist()
  // Filled by the first checks; read only behind them, since `check` stops at the first failure.
  let cose = {} as CoseSign1
  let payload = {} as NitroPayload
  let root: TrustedRoot | undefined
  let chain: Certificate[] = []

  list.check('documentShape', () => {
    if (document.length > MAX_NITRO_DOCUMENT_BYTES) return `the document has ${document.length} bytes`
    cose = parseCoseSign1(document)
    payload = parseNitroPayload(cose.payload)
    return undefined
  })
  list.check('algorithm', () => {
    if (bytesToHex(cose.protectedHeader) !== ES384_ONLY) return 'the protected header is not {1: -35} (ES384)'
    if (!(cose.unprotectedHeader instanceof Map) || cose.unprotectedHeader.size !== 0) {
      return 'the unprotected header is not empty'
    }
    return cose.signature.length === 96 ? undefined : `the signature has ${cose.signature.length} bytes`
  })
  list.check('registers', () => registersProblem(payload))
  list.check('rootApproved', () => {
    const rootHash = keccak256(payload.cabundle[0] as Uint8Array)
    root = parameters.roots.find((candidate) => candidate.rootHash.toLowerCase() === rootHash)
    return root === undefined ? `root ${rootHash} is not approved` : undefined
  })
  list.check('chainLinks', () => {
    chain = [...payload.cabundle, payload.certificate].map((bytes) => parseCertificate(bytes, [ECDSA_P384]))
    return chainProblem(chain)
  })
  list.check('chainTime', () => validityProblem(chain, payload.timestamp / 1000n))
  list.check('notRevoked', () => {
    const hit = chain.findIndex(({ issuer, serial }) =>
      parameters.revoked?.some((entry) => entry.issuer === issuer && entry.serial === serial),
    )
    return hit === -1 ? undefined : `certificate ${hit} was revoked`
  })
  list.check('signature', () => {
    const leaf = chain[chain.length - 1] as Certificate
    const holds = verifyP384(leaf.publicKey, sigStructure(cose), cose.signature, 'compact')
    return holds ? undefined : 'the leaf certificate did not sign this document'
  })
  list.check('notDebug', () => {
    const zero = [0, 1, 2].every((index) => payload.pcrs.get(index)?.every((byte) => byte === 0))
    return zero ? 'PCR 0 to 2 are zero: the enclave runs in debug mode, its memory is open' : undefined
  })
  list.check('fresh', () => freshness(payload.timestamp, parameters))

  const { expectedNonce, expectedMeasurement, expectedUserData } = parameters
  if (expectedNonce === undefined) list.skip('nonce', 'no nonce was asked for')
  else list.check('nonce', () => equalTo(expectedNonce, payload.nonce, 'nonce'))
  if (expectedMeasurement === undefined) list.skip('measurement', 'no measurement was given to compare with')
  else {
    list.check('measurement', () => {
      const found = measurementOf(payload.pcrs)
      return found === expectedMeasurement.toLowerCase()
        ? undefined
        : `the measurement is ${found}, expected ${expectedMeasurement}`
    })
  }
  if (expectedUserData === undefined) list.skip('userData', 'no binding was given to compare with')
  else list.check('userData', () => equalTo(expectedUserData, payload.userData, 'user data'))

  if (list.failed || root === undefined) return { ok: false, steps: list.steps, attestation: undefined }
  return { ok: true, steps: list.steps, attestation: attestationOf(payload, root, cose) }
}

function attestationOf(payload: NitroPayload, root: TrustedRoot, cose: CoseSign1): NitroAttestation {
  const { hardwareType } = root
  const kind =
    hardwareType === HARDWARE_NITRO ? 'nitro' : hardwareType === HARDWARE_NITRO_SIM ? 'nitro-sim' : 'other'
  return {
    hardwareType,
    kind,
    rootHash: root.rootHash,
    measurement: measurementOf(payload.pcrs),
    moduleId: payload.moduleId,
    timestamp: payload.timestamp,
    userData: payload.userData === undefined ? undefined : bytesToHex(payload.userData),
    payloadHash: keccak256(cose.payload),
  }
}
