import type { Hex } from 'viem'
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  CollateralError,
  type JsonObject,
  parseJson,
} from './json.ts'
import { readVerdict, type TcbVerdict } from './tcbStatus.ts'

/** Intel's longest has 20 KB. */
export const MAX_TCB_INFO_CHARACTERS = 262_144
const MAX_LEVELS = 512
const MAX_MODULES = 32

/** Whom the TDX module must be signed by, and with which attributes. */
export type TdxModule = { mrSigner: Hex; attributes: Hex; attributesMask: Hex }
export type TdxModuleIdentity = TdxModule & {
  /** Major version of the module that this describes. */
  version: number
  levels: readonly { isvSvn: number; verdict: TcbVerdict }[]
}
export type TcbLevel = {
  sgxSvns: readonly number[]
  pceSvn: number
  /** Only for TDX. */
  tdxSvns: readonly number[] | undefined
  /** Unix seconds. */
  date: bigint
  verdict: TcbVerdict
}

/** Intel's statement on the platforms of one FMSPC (PCS API v4 "Get TCB Info"). */
export type TcbInfo = {
  teeType: 'sgx' | 'tdx'
  /** Unix seconds. */
  issueDate: bigint
  nextUpdate: bigint
  fmspc: Hex
  pceId: Hex
  evaluationNumber: number
  /** Best first. */
  levels: readonly TcbLevel[]
  /** Only for TDX. */
  module: TdxModule | undefined
  moduleIdentities: readonly TdxModuleIdentity[]
}

function readModule(value: JsonObject): TdxModule {
  return {
    mrSigner: asHex(value.mrsigner, 48, 'mrsigner'),
    attributes: asHex(value.attributes, 8, 'attributes'),
    attributesMask: asHex(value.attributesMask, 8, 'attributesMask'),
  }
}

function readModuleIdentity(value: unknown): TdxModuleIdentity {
  const identity = asObject(value, 'TDX module identity')
  const version = /^TDX_([0-9A-Fa-f]{2})$/.exec(asText(identity.id, 16, 'id'))?.[1]
  if (version === undefined) throw new CollateralError('TDX module identity without a version')
  return {
    ...readModule(identity),
    version: Number.parseInt(version, 16),
    levels: asArray(identity.tcbLevels, MAX_LEVELS, 'tcbLevels').map((entry) => {
      const level = asObject(entry, 'TDX module level')
      const isvSvn = asInteger(asObject(level.tcb, 'tcb').isvsvn, 0xff, 'isvsvn')
      return { isvSvn, verdict: readVerdict(level) }
    }),
  }
}

/** Sixteen SVNs: `[{"svn": 3}, …]` from version 3, `"sgxtcbcomp01svn": 3, …` in version 2. */
function readSvns(tcb: JsonObject, list: string): readonly number[] {
  const components = asArray(tcb[list], 16, list)
  if (components.length !== 16) throw new CollateralError(`${list} has ${components.length} entries`)
  return components.map((entry) => asInteger(asObject(entry, 'component').svn, 0xff, 'svn'))
}

function readLevel(value: unknown, version: number, teeType: 'sgx' | 'tdx'): TcbLevel {
  const level = asObject(value, 'TCB level')
  const tcb = asObject(level.tcb, 'tcb')
  const named = (index: number) => {
    const name = `sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`
    return asInteger(tcb[name], 0xff, name)
  }
  return {
    sgxSvns:
      version === 2
        ? Array.from({ length: 16 }, (_, index) => named(index))
        : readSvns(tcb, 'sgxtcbcomponents'),
    pceSvn: asInteger(tcb.pcesvn, 0xffff, 'pcesvn'),
    tdxSvns: teeType === 'tdx' ? readSvns(tcb, 'tdxtcbcomponents') : undefined,
    date: asTime(level.tcbDate, 'tcbDate'),
    verdict: readVerdict(level),
  }
}

/** Reads TCB info of version 3, or version 2, which knows SGX only. @throws CollateralError */
export function readTcbInfo(text: string): TcbInfo {
  const info = asObject(parseJson(text, 'TCB info'), 'TCB info')
  const { version } = info
  if (version !== 2 && version !== 3) throw new CollateralError('TCB info of an unknown version')
  const id = version === 2 ? 'SGX' : info.id
  if (id !== 'SGX' && id !== 'TDX') throw new CollateralError('TCB info for neither SGX nor TDX')
  if (info.tcbType !== 0) throw new CollateralError('TCB info of an unknown type')
  const teeType = id === 'TDX' ? 'tdx' : 'sgx'
  const identities = info.tdxModuleIdentities
  return {
    teeType,
    issueDate: asTime(info.issueDate, 'issueDate'),
    nextUpdate: asTime(info.nextUpdate, 'nextUpdate'),
    fmspc: asHex(info.fmspc, 6, 'fmspc'),
    pceId: asHex(info.pceId, 2, 'pceId'),
    evaluationNumber: asInteger(info.tcbEvaluationDataNumber, 0xffff, 'tcbEvaluationDataNumber'),
    levels: asArray(info.tcbLevels, MAX_LEVELS, 'tcbLevels').map((level) =>
      readLevel(level, version, teeType),
    ),
    module: teeType === 'tdx' ? readModule(asObject(info.tdxModule, 'tdxModule')) : undefined,
    moduleIdentities:
      teeType === 'sgx' || identities === undefined
        ? []
        : asArray(identities, MAX_MODULES, 'tdxModuleIdentities').map(readModuleIdentity),
  }
}
