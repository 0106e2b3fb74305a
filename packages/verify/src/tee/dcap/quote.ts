import { ReadError, Reader } from '../reader.ts'
import { PemError, readPemCertificates } from '../x509/pem.ts'
import {
  ENCLAVE_REPORT_BYTES,
  type EnclaveReport,
  readEnclaveReport,
  readTdReport,
  TD_REPORT_10_BYTES,
  TD_REPORT_15_BYTES,
  type TdReport,
} from './reports.ts'

/** Real quotes have about 5,000 bytes. */
const MAX_QUOTE_BYTES = 16_384

/** An ECDSA quote of Intel's DCAP, read but not believed: nothing of it was verified yet. */
export type Quote = {
  /** 3: SGX; 4: SGX or TDX; 5: with a body descriptor. */
  version: 3 | 4 | 5
  teeType: 'sgx' | 'tdx'
  report: EnclaveReport | TdReport
  /** Header and body: what the attestation key signs. */
  signed: Uint8Array
  /** r ‖ s. */
  signature: Uint8Array
  /** x ‖ y on P-256. */
  attestationKey: Uint8Array
  /** Quoting enclave's report, which commits to the attestation key. */
  qeReportBytes: Uint8Array
  qeReport: EnclaveReport
  /** By the PCK certificate's key, r ‖ s. */
  qeReportSignature: Uint8Array
  qeAuthData: Uint8Array
  /** DER, leaf first; undefined where the quote only says which platform's chain belongs to it. */
  pckChain: readonly Uint8Array[] | undefined
}

const KEY_ECDSA_P256 = 2
const TEE_SGX = 0x00
const TEE_TDX = 0x81
const INTEL_QE_VENDOR = '0x939a7233f79c4ca9940a0db3957f0607'
/**
 * Certification data (TDX DCAP Quoting Library API, A.3.9): the platform's PPID, in clear or under either RSA key of
 * Intel's, by which its PCK chain can be fetched; that chain in PEM; a QE report with certification data of its own.
 */
const DATA_PPIDS = [1, 2, 3]
const DATA_PCK_CHAIN = 5
const DATA_QE_REPORT = 6

/**
 * Intel's quote generation service sizes its buffer for a version 5 quote, 70 bytes longer by descriptor and TDX 1.5
 * fields, and leaves the rest zero where it writes version 4: so stand nearly all TDX quotes in the field.
 */
const TDX_V4_PADDING_BYTES = 70

function readBody(reader: Reader, version: number, teeType: 'sgx' | 'tdx'): EnclaveReport | TdReport {
  if (version === 5) {
    const type = reader.number(2, 'body type')
    const size = reader.number(4, 'body size')
    const expected =
      teeType === 'sgx'
        ? [1, ENCLAVE_REPORT_BYTES]
        : type === 2
          ? [2, TD_REPORT_10_BYTES]
          : [3, TD_REPORT_15_BYTES]
    if (type !== expected[0] || size !== expected[1]) {
      throw new ReadError(`body of type ${type} and ${size} bytes in a quote for ${teeType}`)
    }
    const bytes = reader.bytes(size, 'body')
    return teeType === 'sgx' ? readEnclaveReport(bytes) : readTdReport(bytes)
  }
  return teeType === 'sgx'
    ? readEnclaveReport(reader.bytes(ENCLAVE_REPORT_BYTES, 'enclave report'))
    : readTdReport(reader.bytes(TD_REPORT_10_BYTES, 'TD report'))
}

function readPckChain(reader: Reader): readonly Uint8Array[] | undefined {
  const type = reader.number(2, 'certification data type')
  const bytes = reader.bytes(reader.number(4, 'certification data size'), 'certification data')
  if (DATA_PPIDS.includes(type)) return undefined
  if (type !== DATA_PCK_CHAIN) throw new ReadError(`certification data of type ${type}`)
  // Intel counts the terminator of its string.
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length
  try {
    return readPemCertificates(new TextDecoder().decode(bytes.subarray(0, end)))
  } catch (error) {
    throw new ReadError(`PCK chain: ${error instanceof PemError ? error.message : 'unreadable'}`)
  }
}

/** QE report, its signature, authentication data and PCK chain: the same in all versions, nested from 4 on. */
function readCertification(reader: Reader) {
  const qeReportBytes = reader.bytes(ENCLAVE_REPORT_BYTES, 'QE report')
  const qeReportSignature = reader.bytes(64, 'QE report signature')
  const qeAuthData = reader.bytes(reader.number(2, 'authentication data size'), 'authentication data')
  const pckChain = readPckChain(reader)
  if (reader.left > 0) throw new ReadError(`${reader.left} bytes follow the certification data`)
  return {
    qeReportBytes,
    qeReport: readEnclaveReport(qeReportBytes),
    qeReportSignature,
    qeAuthData,
    pckChain,
  }
}

function readSignature(bytes: Uint8Array, version: number) {
  const reader = new Reader(bytes)
  const signature = reader.bytes(64, 'quote signature')
  const attestationKey = reader.bytes(64, 'attestation key')
  if (version === 3) return { signature, attestationKey, ...readCertification(reader) }
  const type = reader.number(2, 'certification data type')
  if (type !== DATA_QE_REPORT) throw new ReadError(`certification data of type ${type} where 6 belongs`)
  const nested = reader.bytes(reader.number(4, 'certification data size'), 'QE certification data')
  if (reader.left > 0) throw new ReadError(`${reader.left} bytes follow the QE certification data`)
  return { signature, attestationKey, ...readCertification(new Reader(nested)) }
}

function readHeader(reader: Reader): Pick<Quote, 'version' | 'teeType'> {
  const version = reader.number(2, 'version')
  if (version !== 3 && version !== 4 && version !== 5) throw new ReadError(`quote version ${version}`)
  const keyType = reader.number(2, 'attestation key type')
  if (keyType !== KEY_ECDSA_P256) throw new ReadError(`attestation key of type ${keyType}, not ECDSA P-256`)
  // In version 3 these four bytes are reserved: only SGX existed.
  const tee = reader.number(4, 'TEE type')
  if (tee !== TEE_SGX && (tee !== TEE_TDX || version === 3)) {
    throw new ReadError(`TEE type ${tee} in a version ${version} quote`)
  }
  reader.bytes(4, 'QE and PCE SVN')
  const vendor = reader.hex(16, 'QE vendor')
  if (vendor !== INTEL_QE_VENDOR) throw new ReadError(`quoting enclave of vendor ${vendor}, not Intel's`)
  reader.bytes(20, 'user data')
  return { version, teeType: tee === TEE_TDX ? 'tdx' : 'sgx' }
}

/**
 * Reads a quote of exact length: what its own sizes say, or, for version 4 of TDX, that and the zero padding that
 * Intel's service leaves. Anything else that follows is refused. @throws ReadError
 */
export function readQuote(bytes: Uint8Array): Quote {
  if (bytes.length > MAX_QUOTE_BYTES) throw new ReadError(`the quote has ${bytes.length} bytes`)
  const reader = new Reader(bytes)
  const { version, teeType } = readHeader(reader)
  const report = readBody(reader, version, teeType)
  const signed = bytes.subarray(0, reader.offset)
  const signature = reader.bytes(reader.number(4, 'signature size'), 'signature data')
  if (reader.left > 0) {
    if (version !== 4 || teeType !== 'tdx' || reader.left !== TDX_V4_PADDING_BYTES) {
      throw new ReadError(`${reader.left} bytes follow the quote`)
    }
    reader.zeros(TDX_V4_PADDING_BYTES, 'padding behind the quote')
  }
  return { version, teeType, report, signed, ...readSignature(signature, version) }
}
