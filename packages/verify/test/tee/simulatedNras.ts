import { createHash, sign } from 'node:crypto'
import type { Jwks, NrasTokens } from '../../src/index.ts'
import { p384Key, type TestKey } from './certificateWriter.ts'

export const NRAS_AT = 1_770_000_000
export const NRAS_NONCE = '4e'.repeat(32)
export const nrasKey = p384Key()
export const jwkOf = (testKey: TestKey, kid: string) => ({
  ...testKey.publicKey.export({ format: 'jwk' }),
  kid,
  alg: 'ES384',
  use: 'sig',
})
export const nrasJwks: Jwks = { keys: [jwkOf(p384Key(), 'older'), jwkOf(nrasKey, 'nv-eat')] }

export type Claims = Record<string, unknown>
export const base64Url = (value: Claims | Uint8Array) =>
  Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url')

export function nrasToken(claims: Claims, header: Claims = {}, signer: TestKey = nrasKey): string {
  const signed = `${base64Url({ alg: 'ES384', typ: 'JWT', kid: 'nv-eat', ...header })}.${base64Url(claims)}`
  const key = { key: signer.privateKey, dsaEncoding: 'ieee-p1363' } as const
  return `${signed}.${sign('sha384', Buffer.from(signed), key).toString('base64url')}`
}

const common = {
  iss: 'https://nras.attestation.nvidia.com',
  iat: NRAS_AT - 5,
  nbf: NRAS_AT - 5,
  exp: NRAS_AT + 3600,
  eat_nonce: NRAS_NONCE,
}
const deviceClaims = (index: number): Claims => ({
  ...common,
  ...{ sub: 'NVIDIA-GPU-ATTESTATION', measres: 'success', secboot: true, dbgstat: 'disabled' },
  ...{ hwmodel: 'GH100', ueid: `device-${index}` },
  'x-nvidia-gpu-attestation-report-nonce-match': true,
})
export const nrasDigest = (text: string) => [
  'DIGEST',
  ['SHA-256', createHash('sha256').update(text).digest('hex')],
]

export type NrasChanges = {
  overall?: Claims
  device?: Claims
  overallHeader?: Claims
  deviceHeader?: Claims
  signer?: TestKey
  deviceSigner?: TestKey
  submods?: (submods: Record<string, unknown>) => Record<string, unknown>
  devices?: (devices: Record<string, string>) => Record<string, string>
}

/** Tokens of the service's form for two GPUs under a local key, wrong in whatever way is asked for. */
export function simulateNras(changes: NrasChanges = {}): NrasTokens {
  const devices = Object.fromEntries(
    [0, 1].map((index) => {
      const claims = { ...deviceClaims(index), ...(index === 1 ? changes.device : {}) }
      return [`GPU-${index}`, nrasToken(claims, changes.deviceHeader, changes.deviceSigner)]
    }),
  )
  const submods = Object.fromEntries(Object.entries(devices).map(([name, text]) => [name, nrasDigest(text)]))
  const claims = {
    ...common,
    ...{ sub: 'NVIDIA-PLATFORM-ATTESTATION', 'x-nvidia-overall-att-result': true },
    submods: changes.submods?.(submods) ?? submods,
    ...changes.overall,
  }
  return {
    overall: nrasToken(claims, changes.overallHeader, changes.signer),
    devices: changes.devices?.(devices) ?? devices,
  }
}
