import { fromBase64 } from '@assay/protocol'

/** A chain of attestation certificates has about 3,700 characters. */
const MAX_PEM_CHARACTERS = 32_768
const MAX_CERTIFICATES = 6
const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'

export class PemError extends Error {}

/** Base64 in its one canonical form, so that no two texts give the same bytes. @throws PemError */
function decodeBody(lines: readonly string[]): Uint8Array {
  const text = lines.join('')
  try {
    if (text !== '') return fromBase64(text)
  } catch (cause) {
    throw new PemError('not base64', { cause })
  }
  throw new PemError('a certificate is empty')
}

/**
 * Certificates of a PEM text (RFC 7468), in its order, with nothing between, before or behind them but ends of lines.
 * @throws PemError
 */
export function readPemCertificates(text: string): Uint8Array[] {
  if (text.length > MAX_PEM_CHARACTERS) throw new PemError(`the text has ${text.length} characters`)
  const certificates: Uint8Array[] = []
  let body: string[] | undefined
  for (const line of text.split(/\r?\n/)) {
    if (body === undefined) {
      if (line === BEGIN) body = []
      else if (line !== '') throw new PemError('text outside a certificate')
    } else if (line === END) {
      if (certificates.length === MAX_CERTIFICATES) throw new PemError('too many certificates')
      certificates.push(decodeBody(body))
      body = undefined
    } else {
      body.push(line)
    }
  }
  if (body !== undefined) throw new PemError('a certificate does not end')
  return certificates
}
