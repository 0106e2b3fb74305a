import 'reflect-metadata'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '@assay/chain'
import * as x509 from '@peculiar/x509'
import { bytesToHex, type Hex } from 'viem'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const YEAR_MS = 365 * 86_400_000
const BACKDATE_MS = 60_000

export type SelfSigned = { certificateFile: string; keyFile: string /** DER */; certificate: Hex }

/**
 * A certificate for 127.0.0.1 in `folder`, made once. It vouches for nobody: clients that pin it know that they reach the
 * gateway whose address they looked up, and nothing of an enclave.
 */
export async function selfSigned(folder: string): Promise<SelfSigned> {
  const certificateFile = join(folder, 'tls.crt')
  const keyFile = join(folder, 'tls.key')
  const found = await readFile(certificateFile, 'utf8').catch(() => undefined)
  if (found !== undefined) return { certificateFile, keyFile, certificate: derOf(found) }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Assay development gateway',
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - BACKDATE_MS),
    notAfter: new Date(Date.now() + 10 * YEAR_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  })
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  // The certificate last: where it is, its key is too.
  writeDurably(keyFile, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'))
  const pem = made.toString('pem')
  writeDurably(certificateFile, `${pem}\n`)
  return { certificateFile, keyFile, certificate: derOf(pem) }
}

function derOf(pem: string): Hex {
  return bytesToHex(new Uint8Array(new x509.X509Certificate(pem).rawData))
}
