import type { Hex } from 'viem'
import type { Certificate } from './certificate.ts'

/**
 * One revoked certificate by its issuer's name and its serial number. Its bytes would not do: (r, n − s) in its
 * signature makes a twin with the same issuer, serial and key but other bytes.
 */
export type RevokedCertificate = {
  /** DER of the issuer's name. */
  issuer: Hex
  /** Contents of the serial number's INTEGER; leading zeros do not matter. */
  serial: Hex
}

/** A number has one text: lower case, no leading zeros. */
export const serialNumber = (serial: Hex) => serial.toLowerCase().replace(/^0x0*/, '')

/** First certificate of the chain that is on the list, in words, or undefined. */
export function revokedProblem(
  chain: readonly Certificate[],
  revoked: readonly RevokedCertificate[],
): string | undefined {
  const keyOf = ({ issuer, serial }: RevokedCertificate) => `${issuer.toLowerCase()} ${serialNumber(serial)}`
  const keys = new Set(revoked.map(keyOf))
  const at = chain.findIndex((certificate) => keys.has(keyOf(certificate)))
  return at === -1 ? undefined : `certificate ${at} was revoked`
}
