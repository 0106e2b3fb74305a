import { bytesToHex, type Hex } from 'viem'
import type { Certificate } from '../x509/certificate.ts'
import { type Der, DerError, expectTag, readChildren, readDer, readSmallInteger, TAG } from '../x509/der.ts'

/** What Intel certifies of a platform in its PCK certificate (SGX PCK Certificate and CRL Specification, §1.3.5). */
export type PckPlatform = {
  /** Names the processor for ever, 16 bytes. */
  ppid: Hex
  /** 16 component SVNs and the SVN of the provisioning enclave. */
  componentSvns: readonly number[]
  pceSvn: number
  /** 2 bytes. */
  pceId: Hex
  /** Family, model, stepping and so on, 6 bytes: which TCB info applies. */
  fmspc: Hex
  /** 0 standard, 1 scalable, 2 scalable with integrity: only the first and last protect against a physical replay. */
  sgxType: number
  /** Present where the platform CA issued. */
  platformInstanceId: Hex | undefined
}

// Contents of the object identifiers below 1.2.840.113741.1.13.1.
const SGX_EXTENSION = '0x2a864886f84d010d01'
const PPID = `${SGX_EXTENSION}01`
const TCB = `${SGX_EXTENSION}02`
const PCE_ID = `${SGX_EXTENSION}03`
const FMSPC = `${SGX_EXTENSION}04`
const SGX_TYPE = `${SGX_EXTENSION}05`
const PLATFORM_INSTANCE = `${SGX_EXTENSION}06`
const PCE_SVN = `${TCB}11` // .17, behind the components .1 to .16

/** Values of a SEQUENCE of (id, value) pairs, each id once. */
function readPairs(list: Der): ReadonlyMap<string, Der> {
  const pairs = new Map<string, Der>()
  for (const entry of readChildren(list)) {
    const [id, value, ...rest] = readChildren(expectTag(entry, TAG.sequence, 'SGX extension entry'))
    const oid = bytesToHex(expectTag(id, TAG.oid, 'SGX extension id').content)
    if (value === undefined || rest.length > 0 || pairs.has(oid)) throw new DerError('SGX extension entry')
    pairs.set(oid, value)
  }
  return pairs
}

function octets(value: Der | undefined, length: number, what: string): Hex {
  const { content } = expectTag(value, TAG.octetString, what)
  if (content.length !== length) throw new DerError(`${what} has ${content.length} bytes`)
  return bytesToHex(content)
}

function svn(value: Der | undefined, max: number, what: string): number {
  const found = readSmallInteger(expectTag(value, TAG.integer, what))
  if (found > max) throw new DerError(`${what} is ${found}`)
  return found
}

function enumerated(value: Der | undefined): number {
  const { content } = expectTag(value, TAG.enumerated, 'SGX type')
  if (content.length !== 1 || (content[0] as number) > 2) throw new DerError('SGX type')
  return content[0] as number
}

/** @throws DerError where the certificate carries no such extension or a malformed one */
export function readPckPlatform(certificate: Certificate): PckPlatform {
  const extension = certificate.extensions.get(SGX_EXTENSION)
  if (extension === undefined) throw new DerError('the certificate describes no SGX platform')
  const pairs = readPairs(readDer(extension.value, TAG.sequence))
  const tcb = readPairs(expectTag(pairs.get(TCB), TAG.sequence, 'TCB'))
  const instance = pairs.get(PLATFORM_INSTANCE)
  return {
    ppid: octets(pairs.get(PPID), 16, 'PPID'),
    componentSvns: Array.from({ length: 16 }, (_, index) => {
      const id = `${TCB}${(index + 1).toString(16).padStart(2, '0')}`
      return svn(tcb.get(id), 0xff, `SVN of component ${index + 1}`)
    }),
    pceSvn: svn(tcb.get(PCE_SVN), 0xffff, 'PCESVN'),
    pceId: octets(pairs.get(PCE_ID), 2, 'PCEID'),
    fmspc: octets(pairs.get(FMSPC), 6, 'FMSPC'),
    sgxType: enumerated(pairs.get(SGX_TYPE)),
    platformInstanceId: instance === undefined ? undefined : octets(instance, 16, 'platform instance'),
  }
}
