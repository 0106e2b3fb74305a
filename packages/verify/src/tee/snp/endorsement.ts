import type { Hex } from 'viem'
import type { Certificate } from '../x509/certificate.ts'
import { type Der, readDer, readSmallInteger, TAG } from '../x509/der.ts'
import type { SnpTcb } from './tcb.ts'

/** AMD's arc 1.3.6.1.4.1.3704.1 as contents of an OID (AMD 57230, "VCEK certificate"). */
const ARC = '0x2b060104019c7801'
const EXTENSION = {
  productName: `${ARC}02`,
  bootLoader: `${ARC}0301`,
  tee: `${ARC}0302`,
  snp: `${ARC}0303`,
  microcode: `${ARC}0308`,
  fmc: `${ARC}0309`,
  hardwareId: `${ARC}04`,
  cloud: `${ARC}05`,
} as const satisfies Record<string, Hex>
/** Levels 4 to 7: reserved, and zero wherever they are present. */
const RESERVED_LEVELS: readonly Hex[] = [`${ARC}0304`, `${ARC}0305`, `${ARC}0306`, `${ARC}0307`]

const IA5_STRING = 0x16

/** What AMD certifies about the key that signs reports. */
export type Endorsement = {
  /** E.g. "Milan-B0". */
  productName: string
  tcb: SnpTcb
  /** VCEK: the chip's id, 64 bytes, or the 8 that Turin uses. */
  hardwareId: Uint8Array | undefined
  /** VLEK: the cloud that holds the key. */
  cloud: string | undefined
}

/** Value of one level, undefined where the certificate has none. */
function level(certificate: Certificate, oid: Hex): number | undefined {
  const value = certificate.extensions.get(oid)?.value
  if (value === undefined) return undefined
  const number = readSmallInteger(readDer(value, TAG.integer))
  if (number > 255) throw new Error(`patch level ${number} does not fit a byte`)
  return number
}

function required(certificate: Certificate, oid: Hex, what: string): number {
  const value = level(certificate, oid)
  if (value === undefined) throw new Error(`the certificate states no ${what} level`)
  return value
}

function text(certificate: Certificate, oid: Hex): string | undefined {
  const value = certificate.extensions.get(oid)?.value
  if (value === undefined) return undefined
  const { content }: Der = readDer(value, IA5_STRING)
  if (content.length === 0 || content.length > 64) throw new Error('name of an odd length')
  return String.fromCharCode(...content)
}

/** AMD writes the id bare; an OCTET STRING around it is accepted too. */
function hardwareId(certificate: Certificate): Uint8Array | undefined {
  const value = certificate.extensions.get(EXTENSION.hardwareId)?.value
  if (value === undefined || value.length === 64 || value.length === 8) return value
  const { content } = readDer(value, TAG.octetString)
  if (content.length !== 64 && content.length !== 8) throw new Error('hardware id of an odd length')
  return content
}

/** Reads AMD's extensions of a VCEK or VLEK certificate. @throws Error where one is missing or odd */
export function readEndorsement(certificate: Certificate): Endorsement {
  const productName = text(certificate, EXTENSION.productName)
  if (productName === undefined) throw new Error('the certificate names no product')
  for (const oid of RESERVED_LEVELS) {
    if ((level(certificate, oid) ?? 0) !== 0) throw new Error('a reserved patch level is not zero')
  }
  const tcb: SnpTcb = {
    bootLoader: required(certificate, EXTENSION.bootLoader, 'boot loader'),
    tee: required(certificate, EXTENSION.tee, 'TEE'),
    snp: required(certificate, EXTENSION.snp, 'SNP'),
    microcode: required(certificate, EXTENSION.microcode, 'microcode'),
  }
  const fmc = level(certificate, EXTENSION.fmc)
  if (fmc !== undefined) tcb.fmc = fmc
  return { productName, tcb, hardwareId: hardwareId(certificate), cloud: text(certificate, EXTENSION.cloud) }
}
