import { HARDWARE_NITRO, HARDWARE_NITRO_SIM } from '@assay/protocol'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import { Checklist, type Problem, type TeeReport, type TeeStep } from '../checklist.ts'
import { matchRoot, type TrustedRoot } from '../trustedRoot.ts'
import type { Certificate } from '../x509/certificate.ts'
import { validityProblem } from '../x509/chain.ts'
import { type RevokedCertificate, revokedProblem } from '../x509/revoked.ts'
import { verifyP384 } from '../x509/scheme.ts'
import { type CoseSign1, encodeCoseSign1, parseCoseSign1, sigStructure } from './cose.ts'
import { splitNitridingUserData } from './nitridingUserData.ts'
import { type NitroChainCode, nitroChainProblem, readNitroChain } from './nitroChain.ts'
import {
  measurementOf,
  type NitroPayload,
  parseNitroPayload,
  type RegisterCode,
  registersProblem,
} from './nitroDocument.ts'

/** keccak256 of the DER of AWS's root G1, valid until 2049. A production registry approves it under `nitro`. */
export const AWS_NITRO_ROOT_HASH: Hex = '0x311d96fcd5c5e0ccf72ef548e2ea7d4c0cd53ad7c4cc49e67471aed41d61f185'
/** Real documents have about 4,600 bytes. */
export const MAX_NITRO_DOCUMENT_BYTES = 16_384
/** Oldest document that is accepted, seconds before `now`. */
export const NITRO_MAX_AGE_SECONDS = 300n
/** Furthest a document's clock may be ahead, seconds. */
export const NITRO_MAX_AHEAD_SECONDS = 60n

export type VerifyNitroParameters = {
  /** Approved roots. What kind of hardware a document speaks for is decided by which of these it ends in. */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds: of a registration, the time of the block that anchors it. */
  now: bigint
  /** Oldest accepted age in seconds; `NITRO_MAX_AGE_SECONDS` by default. */
  maxAge?: bigint | undefined
  /** `enclaveBinding(…)`: ties the document to one operator and one signing key. In nitriding's user data, its second hash. */
  expectedUserData?: Hex | undefined
  /** `nitroMeasurement(…)` that was approved. */
  expectedMeasurement?: Hex | undefined
  expectedNonce?: Hex | undefined
  revoked?: readonly RevokedCertificate[] | undefined
}

/** The checks, in the order of their dependence; a name never changes its meaning. */
export const NITRO_STEPS = [
  'documentShape', // size, strict CBOR, COSE_Sign1 of four members in its one encoding
  'algorithm', // protected header {1: -35} and nothing else; 96-byte signature
  'registers', // SHA384, PCR indices and lengths, PCR 0 to 2 present
  'rootApproved', // the first certificate is an approved root, byte for byte
  'chainLinks', // every link, the CA flags, and the leaf's own limits
  'chainTime', // every certificate holds at the document's own time
  'notRevoked', // no certificate of the chain was revoked
  'signature', // the leaf signed this document
  'notDebug', // policy: PCR 0 to 2 are not all zero
  'fresh', // policy: neither old nor from the future
  'nonce', // policy: answers this challenge
  'measurement', // policy: runs the code expected
  'userData', // policy: speaks for the key and operator expected
] as const
export type NitroStepName = (typeof NITRO_STEPS)[number]

export type NitroCode =
  | NitroChainCode
  | RegisterCode
  | 'too_large'
  | 'encoding_differs' // the same COSE_Sign1 in other bytes than a Nitro enclave writes
  | 'algorithm_not_es384'
  | 'unprotected_header'
  | 'signature_length'
  | 'root_unknown'
  | 'certificate_time'
  | 'revoked'
  | 'document_signature'
  | 'debug_enabled'
  | 'stale'
  | 'from_future'
  | 'nonce_differs'
  | 'measurement_differs'
  | 'user_data_differs'
export type NitroStep = TeeStep<NitroStepName, NitroCode>

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

export type NitroReport = TeeReport<NitroStepName, NitroCode, NitroAttestation>

const ES384_ONLY = '0xa1013822' // {1: -35}, RFC 9053 §2.1

type NitroChecklist = Checklist<NitroStepName, NitroCode>
/** Filled by the first checks, read behind them. */
type Found = { cose: CoseSign1; payload: NitroPayload; root: TrustedRoot; chain: Certificate[] }

/**
 * Verifies an AWS Nitro attestation document (or a simulated one of the same form) against approved roots.
 * Pure, bounded, and without exceptions: hostile bytes give a failed step.
 */
export function verifyNitro(document: Uint8Array, parameters: VerifyNitroParameters): NitroReport {
  const list: NitroChecklist = new Checklist()
  const found = {} as Found
  checkDocument(list, document, found)
  checkChain(list, parameters, found)
  list.check('signature', () => {
    const leaf = found.chain[found.chain.length - 1] as Certificate
    const holds = verifyP384(leaf.publicKey, sigStructure(found.cose), found.cose.signature, 'compact')
    return holds
      ? undefined
      : { code: 'document_signature', reason: 'the leaf certificate did not sign this document' }
  })
  checkPolicy(list, parameters, found)
  return list.report(() => attestationOf(found))
}

function checkDocument(list: NitroChecklist, document: Uint8Array, found: Found): void {
  list.check('documentShape', () => {
    if (document.length > MAX_NITRO_DOCUMENT_BYTES) {
      return { code: 'too_large', reason: `the document has ${document.length} bytes` }
    }
    found.cose = parseCoseSign1(document)
    found.payload = parseNitroPayload(found.cose.payload)
    return undefined
  })
  list.check('algorithm', () => {
    const { protectedHeader, unprotectedHeader, signature } = found.cose
    if (bytesToHex(protectedHeader) !== ES384_ONLY) {
      return { code: 'algorithm_not_es384', reason: 'the protected header is not {1: -35} (ES384)' }
    }
    if (!(unprotectedHeader instanceof Map) || unprotectedHeader.size !== 0) {
      return { code: 'unprotected_header', reason: 'the unprotected header is not empty' }
    }
    if (signature.length !== 96) {
      return { code: 'signature_length', reason: `the signature has ${signature.length} bytes` }
    }
    // CBOR can write these four members in many ways; only what is inside them is signed.
    return bytesToHex(encodeCoseSign1(found.cose)) === bytesToHex(document)
      ? undefined
      : { code: 'encoding_differs', reason: 'the document is not in the one encoding that enclaves write' }
  })
  list.check('registers', () => registersProblem(found.payload))
}

function checkChain(list: NitroChecklist, { roots, revoked }: VerifyNitroParameters, found: Found): void {
  list.check('rootApproved', () => {
    const { root, rootHash } = matchRoot(found.payload.cabundle[0], roots)
    if (root === undefined) return { code: 'root_unknown', reason: `root ${rootHash} is not approved` }
    found.root = root
    return undefined
  })
  list.check('chainLinks', () => {
    found.chain = readNitroChain(found.payload)
    return nitroChainProblem(found.chain)
  })
  list.check('chainTime', () => {
    const reason = validityProblem(found.chain, found.payload.timestamp / 1000n)
    return reason === undefined ? undefined : { code: 'certificate_time', reason }
  })
  if (revoked === undefined) list.skip('notRevoked', 'validity', 'no list of revoked certificates was given')
  else {
    list.check('notRevoked', () => {
      const reason = revokedProblem(found.chain, revoked)
      return reason === undefined ? undefined : { code: 'revoked', reason }
    })
  }
}

function checkPolicy(list: NitroChecklist, parameters: VerifyNitroParameters, found: Found): void {
  list.policy('notDebug', () => {
    const zero = [0, 1, 2].every((index) => found.payload.pcrs.get(index)?.every((byte) => byte === 0))
    const reason = 'PCR 0 to 2 are zero: the enclave runs in debug mode, its memory is open'
    return zero ? { code: 'debug_enabled', reason } : undefined
  })
  list.policy('fresh', () => freshness(found.payload.timestamp, parameters))
  const { expectedNonce, expectedMeasurement, expectedUserData } = parameters
  if (expectedNonce === undefined) list.skip('nonce', 'policy', 'no nonce was asked for')
  else {
    list.policy('nonce', () => equalTo(expectedNonce, found.payload.nonce, 'nonce', 'nonce_differs'))
  }
  if (expectedMeasurement === undefined) {
    list.skip('measurement', 'policy', 'no measurement was given to compare with')
  } else {
    list.policy('measurement', () => {
      const measurement = measurementOf(found.payload.pcrs)
      const reason = `the measurement is ${measurement}, expected ${expectedMeasurement}`
      return measurement === expectedMeasurement.toLowerCase()
        ? undefined
        : { code: 'measurement_differs', reason }
    })
  }
  if (expectedUserData === undefined) {
    list.skip('userData', 'policy', 'no binding was given to compare with')
  } else {
    list.policy('userData', () => {
      const { userData } = found.payload
      const bound = splitNitridingUserData(userData)?.appKeyHash ?? userData
      return equalTo(expectedUserData, bound, 'user data', 'user_data_differs')
    })
  }
}

function equalTo(
  expected: Hex,
  found: Uint8Array | undefined,
  what: string,
  code: NitroCode,
): Problem<NitroCode> | undefined {
  const text = found === undefined ? 'none' : bytesToHex(found)
  if (text === expected.toLowerCase()) return undefined
  return { code, reason: `the ${what} is ${text}, expected ${expected}` }
}

function freshness(
  timestamp: bigint,
  { now, maxAge }: VerifyNitroParameters,
): Problem<NitroCode> | undefined {
  const limit = maxAge ?? NITRO_MAX_AGE_SECONDS
  const age = now * 1000n - timestamp
  if (age > limit * 1000n) {
    return {
      code: 'stale',
      reason: `the document is ${age / 1000n} s old, at most ${limit} s is accepted`,
    }
  }
  if (age < -NITRO_MAX_AHEAD_SECONDS * 1000n) {
    return { code: 'from_future', reason: `the document is ${-age / 1000n} s ahead` }
  }
  return undefined
}

function attestationOf({ payload, root, cose }: Found): NitroAttestation {
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
