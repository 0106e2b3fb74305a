import type { Evidence } from '@assay/protocol'
import { keccak256 } from 'viem'
import { utcDay } from '../../utc.ts'
import { leafOf, parseChain, parsePemChain } from '../dcap/chains.ts'
import { decodeDcapEvidence } from '../dcap/evidence.ts'
import { readPckPlatform } from '../dcap/pckExtension.ts'
import { readQeIdentity } from '../dcap/qeIdentity.ts'
import { readQuote } from '../dcap/quote.ts'
import { readTcbInfo } from '../dcap/tcbInfo.ts'
import { parseCoseSign1 } from '../nitro/cose.ts'
import { readNitroChain } from '../nitro/nitroChain.ts'
import { parseNitroPayload } from '../nitro/nitroDocument.ts'
import { decodeSnpEvidence } from '../snp/evidence.ts'
import { productOfRoot, readSnpChain } from '../snp/snpChain.ts'
import { parseSnpReport } from '../snp/snpReport.ts'
import { tcbNumber } from '../snp/tcb.ts'
import { type RevokedCertificate, serialNumber } from '../x509/revoked.ts'
import type { Rules } from './policyOfRules.ts'

/** Name of the rule that denies a certificate, by the hash of its issuer's name and its serial number. */
const certificateRule = ({ issuer, serial }: RevokedCertificate): string => {
  const digits = serialNumber(serial)
  return `deny-certificate/${keccak256(issuer)}/0x${digits.length % 2 === 0 ? digits : `0${digits}`}`
}

function nitroRules(document: Uint8Array): string[] {
  const payload = parseNitroPayload(parseCoseSign1(document).payload)
  return readNitroChain(payload).map(certificateRule)
}

/** Certificates of the document's chain that the rules deny. @throws Error where the document cannot be read */
export function deniedCertificates(document: Uint8Array, rules: Rules): RevokedCertificate[] {
  const chain = readNitroChain(parseNitroPayload(parseCoseSign1(document).payload))
  return chain.filter((certificate) => (rules.get(certificateRule(certificate)) ?? 0n) !== 0n)
}

function snpRules(document: Uint8Array): string[] {
  const { report: bytes, certificates } = decodeSnpEvidence(document)
  const report = parseSnpReport(bytes)
  const product = productOfRoot(readSnpChain(certificates))
  if (product === undefined) throw new Error('the root is of no product line known here')
  const levels = [report.reportedTcb, report.committedTcb, report.currentTcb, report.launchTcb]
  return [
    `minimum-tcb/${product}`,
    ...levels.map((tcb) => `deny-tcb/${product}/0x${tcbNumber(tcb).toString(16).padStart(16, '0')}`),
    `deny-chip/${report.chipId}`,
    'require-crl',
    `allow-product/${product}`,
    'allow-signer/VLEK',
    'allow-vmpl',
  ]
}

function dcapRules(document: Uint8Array): string[] {
  const { quote: bytes, collateral } = decodeDcapEvidence(document)
  const { pckChain, report } = readQuote(bytes)
  const chain = pckChain === undefined ? parsePemChain(collateral.pckChain ?? '') : parseChain(pckChain)
  const { fmspc, ppid } = readPckPlatform(leafOf(chain))
  const tcbInfo = readTcbInfo(collateral.tcbInfo)
  const modules = tcbInfo.moduleIdentities.flatMap(({ levels }) => levels)
  const levels = [...tcbInfo.levels, ...modules, ...readQeIdentity(collateral.qeIdentity).levels]
  return [
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
}

const READERS: Readonly<Record<string, (document: Uint8Array) => string[]>> = {
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
}: Pick<Evidence, 'kind' | 'document'>): readonly string[] | undefined {
  if (!Object.hasOwn(READERS, kind)) return undefined
  try {
    return [...new Set(READERS[kind]?.(document))]
  } catch {
    return undefined
  }
}
