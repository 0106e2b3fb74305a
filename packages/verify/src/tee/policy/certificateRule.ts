import { keccak256 } from 'viem'
import { type RevokedCertificate, serialNumber } from '../x509/revoked.ts'

/** Name of the rule that denies a certificate, by the hash of its issuer's name and its serial number. */
export function certificateRule({ issuer, serial }: RevokedCertificate): string {
  const digits = serialNumber(serial)
  return `deny-certificate/${keccak256(issuer)}/0x${digits.length % 2 === 0 ? digits : `0${digits}`}`
}
