import { type Evidence, snpMeasurement } from '@assay/protocol'
import type { Hex } from 'viem'
import { utcDay } from '../../utc.ts'
import { leafOf, parseChain, parsePemChain } from '../dcap/chains.ts'
import { decodeDcapEvidence } from '../dcap/evidence.ts'
import { measurementOf as dcapMeasurementOf } from '../dcap/expectations.ts'
import { readPckPlatform } from '../dcap/pckExtension.ts'
import { readQeIdentity } from '../dcap/qeIdentity.ts'
import { readQuote } from '../dcap/quote.ts'
import { readTcbInfo } from '../dcap/tcbInfo.ts'
import { parseCoseSign1 } from '../nitro/cose.ts'
import { readNitroChain } from '../nitro/nitroChain.ts'
import { measurementOf as nitroMeasurementOf, parseNitroPayload } from '../nitro/nitroDocument.ts'
import { decodeSnpEvidence } from '../snp/evidence.ts'
import { productOfRoot, readSnpChain } from '../snp/snpChain.ts'
import { parseSnpReport } from '../snp/snpReport.ts'
import { tcbNumber } from '../snp/tcb.ts'
import type { RevokedCertificate } from '../x509/revoked.ts'
import { certificateRule } from './certificateRule.ts'
import { rulesOfGpus } from './gpuRules.ts'
import type { Rules } from './policyOfRules.ts'

type Read = { names: string[]; measurement: Hex }

function nitroRules(document: Uint8Array): Read {
  const payload = parseNitroPayload(parseCoseSign1(document).payload)
  return {
    names: readNitroChain(payload).map(certificateRule),
    measurement: nitroMeasurementOf(payload.pcrs),
  }
}

/** Certificates of the document's chain that the rules deny. @throws Error where the document cannot be read */
export function deniedCertificates(document: Uint8Array, rules: Rules): RevokedCertificate[] {
  const chain = readNitroChain(parseNitroPayload(parseCoseSign1(document).payload))
  return chain.filter((certificate) => (rules.get(certificateRule(certificate)) ?? 0n) !== 0n)
}

function snpRules(document: Uint8Array): Read {
  const { report: bytes, certificates } = decodeSnpEvidence(document)
  const report = parseSnpReport(bytes)
  const product = productOfRoot(readSnpChain(certificates))
  if (product === undefined) throw new Error('the root is of no product line known here')
  const levels = [report.reportedTcb, report.committedTcb, report.currentTcb, report.launchTcb]
  const names = [
    `minimum-tcb/${product}`,
    ...levels.map((tcb) => `deny-tcb/${product}/0x${tcbNumber(tcb).toString(16).padStart(16, '0')}`),
    `deny-chip/${report.chipId}`,
    'require-crl',
    `allow-product/${product}`,
    'allow-signer/VLEK',
    'allow-vmpl',
  ]
  return { names, measurement: snpMeasurement(report.measurement, report.hostData) }
}

function dcapRules(document: Uint8Array): Read {
  const { quote: bytes, collateral } = decodeDcapEvidence(document)
  const { pckChain, report } = readQuote(bytes)
  const chain = pckChain === undefined ? parsePemChain(collateral.pckChain ?? '') : parseChain(pckChain)
  const { fmspc, ppid } = readPckPlatform(leafOf(chain))
  const tcbInfo = readTcbInfo(collateral.tcbInfo)
  const modules = tcbInfo.moduleIdentities.flatMap(({ levels }) => levels)
  const levels = [...tcbInfo.levels, ...modules, ...readQeIdentity(collateral.qeIdentity).levels]
  const names = [
    'minimum-status',
    'minimum-evaluation',
    'minimum-tcb-date',
    ...tcbInfo.levels.map(({ date }) => `deny-tcb-date/${utcDay(date)}`),
    ...levels.flatMap(({ verdict }) => verdict.advisoryIds.map((id) => `deny-advisory/${id}`)),
    `deny-fmspc/${fmspc}`,
    `deny-ppid/${ppid}`,
    'allow-out-of-date',
    ...(report.kind === 'tdx'
      ? ['allow-migratable', 'allow-sept-ve', `allow-seam-signer/${report.mrSignerSeam}`]
      : []),
  ]
  return { names, measurement: dcapMeasurementOf(report) }
}

const READERS: Readonly<Record<string, (document: Uint8Array) => Read>> = {
  nitro: nitroRules,
  'nitro-sim': nitroRules,
  sgx: dcapRules,
  snp: snpRules,
  tdx: dcapRules,
}

/**
 * Names of the rules that bear on a piece of evidence: what to read from TeeRegistry to judge it. They follow from the
 * evidence alone, so nobody need list all chips that were ever denied. Undefined where the document cannot be read: it is
 * refused under any rules.
 */
export function rulesOfEvidence({
  kind,
  document,
  gpus,
}: Pick<Evidence, 'kind' | 'document' | 'gpus'>): readonly string[] | undefined {
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined
  if (read === undefined) return undefined
  try {
    const { names, measurement } = read(document)
    return [...new Set([...names, ...rulesOfGpus(gpus ?? [], measurement)])]
  } catch {
    return undefined
  }
}
