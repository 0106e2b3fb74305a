// The certificate library resolves its parsers through reflection metadata, which must be there first.
import 'reflect-metadata'
import type { webcrypto } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AssayError } from '@assay/protocol'
import * as x509 from '@peculiar/x509'
import { type Hex, keccak256 } from 'viem'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } as const
const DAY = 86_400_000
/** Certificates begin a little in the past, so that a clock a minute behind still accepts them. */
const BACKDATE = 60_000

/** Root of all simulated enclaves of one deployment. */
export type SimulatedRoot = { der: Uint8Array; rootHash: Hex; privateKey: webcrypto.CryptoKey }

/** A fresh chain below the root: what a Nitro document carries, and the key that signs it. */
export type SimulatedChain = {
  leaf: Uint8Array
  /** Root, regional, zonal, instance. */
  cabundle: Uint8Array[]
  leafKey: webcrypto.CryptoKey
}

/**
 * Opens the simulated root in `dir`, creating it once: the chain approves its hash, so it has to outlive restarts.
 * @throws AssayError `config` when the file is there but unreadable
 */
export async function simulatedRoot(dir: string): Promise<SimulatedRoot> {
  const path = join(dir, 'simulated-root.json')
  await mkdir(dir, { recursive: true })
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text !== undefined) return parseRoot(text, path)

  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Assay SIMULATED Nitro root - development only,O=Assay SIMULATED',
    keys,
    signingAlgorithm: ALGORITHM,
    serialNumber: serial(),
    notBefore: new Date(Date.now() - BACKDATE),
    notAfter: new Date(Date.now() + 30 * 365 * DAY),
    extensions: authority(3),
  })
  const der = new Uint8Array(certificate.rawData)
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const json = {
    note: 'Development only. Whoever holds this key can pretend to be a simulated enclave.',
    certificate: Buffer.from(der).toString('base64'),
    privateKey: Buffer.from(pkcs8).toString('base64'),
  }
  // Complete before it gets its name, and `link` fails where the name is taken: two processes that start at once end
  // with one root.
  const temporary = `${path}.${crypto.randomUUID()}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  await handle.writeFile(JSON.stringify(json))
  await handle.sync()
  await handle.close()
  await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(temporary)
  return parseRoot(await readFile(path, 'utf8'), path)
}

async function parseRoot(text: string, path: string): Promise<SimulatedRoot> {
  try {
    const json = JSON.parse(text) as Record<string, unknown>
    const der = new Uint8Array(Buffer.from(String(json.certificate), 'base64'))
    const pkcs8 = new Uint8Array(Buffer.from(String(json.privateKey), 'base64'))
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign'])
    return { der, rootHash: keccak256(der), privateKey }
  } catch (cause) {
    throw new AssayError('The simulated root cannot be read.', {
      code: 'config',
      facts: { path },
      next: 'Remove the file; the new root must then be approved on the chain.',
      cause,
    })
  }
}

type Authority = { name: string; pathLength: number; lifetime: number }

/** Certificates below the root, one under the other, and behind them a leaf that signs data. */
async function issueBelow(
  root: SimulatedRoot,
  authorities: readonly Authority[],
  end: { name: string; lifetime: number },
): Promise<{ certificates: Uint8Array[]; leaf: Uint8Array; leafKey: webcrypto.CryptoKey }> {
  const certificates = [root.der]
  let issuer = { name: new x509.X509Certificate(root.der).subject, key: root.privateKey }
  for (const { name, pathLength, lifetime } of authorities) {
    const keys = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
    certificates.push(await issue(issuer, keys.publicKey, name, lifetime, authority(pathLength)))
    issuer = { name, key: keys.privateKey }
  }
  const keys = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
  const leaf = await issue(issuer, keys.publicKey, end.name, end.lifetime, [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
  ])
  return { certificates, leaf, leafKey: keys.privateKey }
}

/** Regional 20 d, zonal 6 d, instance 1 d, leaf 3 h, as the Nitro chain has them. */
export async function issueChain(root: SimulatedRoot): Promise<SimulatedChain> {
  const authorities = [
    { name: 'CN=SIMULATED regional,O=Assay SIMULATED', pathLength: 2, lifetime: 20 * DAY },
    { name: 'CN=SIMULATED zonal,O=Assay SIMULATED', pathLength: 1, lifetime: 6 * DAY },
    { name: 'CN=SIMULATED instance,O=Assay SIMULATED', pathLength: 0, lifetime: DAY },
  ]
  const end = { name: 'CN=SIMULATED enclave,O=Assay SIMULATED', lifetime: 3 * 3_600_000 }
  const { certificates, leaf, leafKey } = await issueBelow(root, authorities, end)
  return { leaf, cabundle: certificates, leafKey }
}

/** Root, identity, provisioner, device, firmware, as the chain of an H100 has them; and the firmware's key. */
export async function issueGpuChain(
  root: SimulatedRoot,
): Promise<{ certificates: Uint8Array[]; key: webcrypto.CryptoKey }> {
  const lifetime = 10 * 365 * DAY
  const authorities = [
    { name: 'CN=SIMULATED GPU identity,O=Assay SIMULATED', pathLength: 2, lifetime },
    { name: 'CN=SIMULATED GPU provisioner,O=Assay SIMULATED', pathLength: 1, lifetime },
    { name: 'CN=GH100 SIMULATED device,O=Assay SIMULATED', pathLength: 0, lifetime },
  ]
  const end = { name: 'CN=GH100 SIMULATED firmware,O=Assay SIMULATED', lifetime }
  const { certificates, leaf, leafKey } = await issueBelow(root, authorities, end)
  return { certificates: [...certificates, leaf], key: leafKey }
}

async function issue(
  issuer: { name: string; key: webcrypto.CryptoKey },
  publicKey: webcrypto.CryptoKey,
  subject: string,
  lifetime: number,
  extensions: x509.Extension[],
): Promise<Uint8Array> {
  const notBefore = Date.now() - BACKDATE
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject,
    issuer: issuer.name,
    notBefore: new Date(notBefore),
    notAfter: new Date(notBefore + lifetime),
    publicKey,
    signingKey: issuer.key,
    signingAlgorithm: ALGORITHM,
    extensions,
  })
  return new Uint8Array(certificate.rawData)
}

function authority(pathLength: number): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ]
}

/** 16 random bytes, the first bit clear: a positive integer of at most 20 bytes (RFC 5280 §4.1.2.2). */
function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x01
  return Buffer.from(bytes).toString('hex')
}
