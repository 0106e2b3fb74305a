import type { Hex } from 'viem'
import { asArray, asHex, asInteger, asObject, asTime, CollateralError, parseJson } from './json.ts'
import { isMasked } from './masked.ts'
import type { EnclaveReport } from './reports.ts'
import { readVerdict, type TcbVerdict } from './tcbStatus.ts'

export const MAX_QE_IDENTITY_CHARACTERS = 65_536
const MAX_LEVELS = 256

/** Intel's statement on the quoting enclave (PCS API v4 "Get Quoting Enclave Identity"). */
export type QeIdentity = {
  /** `QE` quotes enclaves of SGX, `TD_QE` those of TDX. */
  teeType: 'sgx' | 'tdx'
  /** Unix seconds. */
  issueDate: bigint
  nextUpdate: bigint
  evaluationNumber: number
  miscSelect: Hex
  miscSelectMask: Hex
  attributes: Hex
  attributesMask: Hex
  mrSigner: Hex
  isvProdId: number
  /** Best first. */
  levels: readonly { isvSvn: number; verdict: TcbVerdict }[]
}

/** @throws CollateralError */
export function readQeIdentity(text: string): QeIdentity {
  const identity = asObject(parseJson(text, 'QE identity'), 'QE identity')
  if (identity.version !== 2) throw new CollateralError('QE identity of an unknown version')
  const { id } = identity
  if (id !== 'QE' && id !== 'TD_QE') throw new CollateralError('identity of another enclave than a QE')
  return {
    teeType: id === 'TD_QE' ? 'tdx' : 'sgx',
    issueDate: asTime(identity.issueDate, 'issueDate'),
    nextUpdate: asTime(identity.nextUpdate, 'nextUpdate'),
    evaluationNumber: asInteger(identity.tcbEvaluationDataNumber, 0xffff, 'tcbEvaluationDataNumber'),
    miscSelect: asHex(identity.miscselect, 4, 'miscselect'),
    miscSelectMask: asHex(identity.miscselectMask, 4, 'miscselectMask'),
    attributes: asHex(identity.attributes, 16, 'attributes'),
    attributesMask: asHex(identity.attributesMask, 16, 'attributesMask'),
    mrSigner: asHex(identity.mrsigner, 32, 'mrsigner'),
    isvProdId: asInteger(identity.isvprodid, 0xffff, 'isvprodid'),
    levels: asArray(identity.tcbLevels, MAX_LEVELS, 'tcbLevels').map((entry) => {
      const level = asObject(entry, 'QE level')
      const isvSvn = asInteger(asObject(level.tcb, 'tcb').isvsvn, 0xffff, 'isvsvn')
      return { isvSvn, verdict: readVerdict(level) }
    }),
  }
}

/** First thing by which this report is not of the enclave identified, or undefined. */
export function qeProblem(report: EnclaveReport, identity: QeIdentity): string | undefined {
  if (report.mrSigner !== identity.mrSigner) return `MRSIGNER is ${report.mrSigner}`
  if (report.isvProdId !== identity.isvProdId) return `ISVPRODID is ${report.isvProdId}`
  if (!isMasked(report.miscSelect, identity.miscSelectMask, identity.miscSelect)) {
    return `MISCSELECT is ${report.miscSelect}`
  }
  if (!isMasked(report.attributes, identity.attributesMask, identity.attributes)) {
    return `ATTRIBUTES are ${report.attributes}`
  }
  return undefined
}
