import { type Hex, hexToBytes } from 'viem'
import { Reader } from '../reader.ts'

/** REPORT body of an SGX enclave (Intel SDM vol. 3D, 34.16), 384 bytes. */
export type EnclaveReport = {
  kind: 'sgx'
  cpuSvn: Hex
  /** 4 bytes, as they stand in memory. */
  miscSelect: Hex
  /** FLAGS and XFRM, 16 bytes, as they stand in memory. */
  attributes: Hex
  mrEnclave: Hex
  mrSigner: Hex
  configId: Hex
  isvProdId: number
  isvSvn: number
  configSvn: number
  isvFamilyId: Hex
  isvExtProdId: Hex
  /** 64 bytes. */
  reportData: Hex
}

export const ENCLAVE_REPORT_BYTES = 384

/** @throws ReadError */
export function readEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new Reader(bytes)
  const cpuSvn = reader.hex(16, 'CPUSVN')
  const miscSelect = reader.hex(4, 'MISCSELECT')
  reader.bytes(12, 'reserved')
  const isvExtProdId = reader.hex(16, 'ISVEXTPRODID')
  const attributes = reader.hex(16, 'ATTRIBUTES')
  const mrEnclave = reader.hex(32, 'MRENCLAVE')
  reader.bytes(32, 'reserved')
  const mrSigner = reader.hex(32, 'MRSIGNER')
  reader.bytes(32, 'reserved')
  const configId = reader.hex(64, 'CONFIGID')
  const isvProdId = reader.number(2, 'ISVPRODID')
  const isvSvn = reader.number(2, 'ISVSVN')
  const configSvn = reader.number(2, 'CONFIGSVN')
  reader.bytes(42, 'reserved')
  const isvFamilyId = reader.hex(16, 'ISVFAMILYID')
  const reportData = reader.hex(64, 'REPORTDATA')
  return {
    kind: 'sgx',
    cpuSvn,
    miscSelect,
    attributes,
    mrEnclave,
    mrSigner,
    configId,
    isvProdId,
    isvSvn,
    configSvn,
    isvFamilyId,
    isvExtProdId,
    reportData,
  }
}

/** ATTRIBUTES.FLAGS bit 1: the host may read and write the enclave's memory. */
export function isDebug({ attributes }: EnclaveReport): boolean {
  return ((hexToBytes(attributes)[0] as number) & 0x02) !== 0
}

/** TD report body of TDX 1.0 (584 bytes) or 1.5 (648), from Intel's TDX DCAP Quoting Library API, appendix 3. */
export type TdReport = {
  kind: 'tdx'
  /** 16 SVNs: of the TDX module (0: its SVN, 1: its major version) and of what it runs on. */
  teeTcbSvn: Uint8Array
  mrSeam: Hex
  mrSignerSeam: Hex
  seamAttributes: Hex
  /** 8 bytes, as they stand in memory. */
  tdAttributes: Hex
  xfam: Hex
  mrTd: Hex
  mrConfigId: Hex
  mrOwner: Hex
  mrOwnerConfig: Hex
  rtmrs: readonly [Hex, Hex, Hex, Hex]
  reportData: Hex
  /** TDX 1.5: SVNs of the module loaded now, which may be newer than the one the TD was launched under. */
  teeTcbSvn2: Uint8Array | undefined
  /** TDX 1.5: measurement of bound service TDs, zero where there is none. */
  mrServiceTd: Hex | undefined
}

export const TD_REPORT_10_BYTES = 584
export const TD_REPORT_15_BYTES = 648

/** @throws ReadError */
export function readTdReport(bytes: Uint8Array): TdReport {
  const reader = new Reader(bytes)
  const teeTcbSvn = reader.bytes(16, 'TEE_TCB_SVN')
  const mrSeam = reader.hex(48, 'MRSEAM')
  const mrSignerSeam = reader.hex(48, 'MRSIGNERSEAM')
  const seamAttributes = reader.hex(8, 'SEAMATTRIBUTES')
  const tdAttributes = reader.hex(8, 'TDATTRIBUTES')
  const xfam = reader.hex(8, 'XFAM')
  const mrTd = reader.hex(48, 'MRTD')
  const mrConfigId = reader.hex(48, 'MRCONFIGID')
  const mrOwner = reader.hex(48, 'MROWNER')
  const mrOwnerConfig = reader.hex(48, 'MROWNERCONFIG')
  const rtmr = (index: number) => reader.hex(48, `RTMR${index}`)
  const rtmrs = [rtmr(0), rtmr(1), rtmr(2), rtmr(3)] as const
  const reportData = reader.hex(64, 'REPORTDATA')
  const later = bytes.length === TD_REPORT_15_BYTES
  return {
    kind: 'tdx',
    teeTcbSvn,
    mrSeam,
    mrSignerSeam,
    seamAttributes,
    tdAttributes,
    xfam,
    mrTd,
    mrConfigId,
    mrOwner,
    mrOwnerConfig,
    rtmrs,
    reportData,
    teeTcbSvn2: later ? reader.bytes(16, 'TEE_TCB_SVN_2') : undefined,
    mrServiceTd: later ? reader.hex(48, 'MRSERVICETD') : undefined,
  }
}
