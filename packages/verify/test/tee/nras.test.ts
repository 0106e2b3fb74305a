import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { keccak256 } from 'viem'
import {
  type NrasCode,
  type NrasTokens,
  type NrasVerification,
  parseNrasResponse,
  type VerifyNrasParameters,
  verifyNras,
} from '../../src/index.ts'
import { p384Key } from './certificateWriter.ts'
import {
  base64Url,
  type Claims,
  jwkOf,
  NRAS_AT,
  NRAS_NONCE,
  type NrasChanges,
  nrasDigest,
  nrasJwks,
  nrasKey,
  nrasToken,
  simulateNras,
} from './simulatedNras.ts'

const at = NRAS_AT
const nonce = NRAS_NONCE
const key = nrasKey
const jwks = nrasJwks

function outcomeOf(report: NrasVerification): string {
  assert.equal(report.ok, report.attestation !== undefined)
  const failed = report.steps.filter((step) => step.outcome === 'failed')
  return [report.verdict, ...failed.map(({ name, code }) => `${name}:${code}`)].join(' ')
}

const verify = (tokens: NrasTokens, parameters: Partial<VerifyNrasParameters> = {}) =>
  outcomeOf(verifyNras(tokens, { jwks, now: BigInt(at), ...parameters }))
const check = (changes: NrasChanges, parameters: Partial<VerifyNrasParameters> = {}) =>
  verify(simulateNras(changes), parameters)
const invalid = (step: string, code: NrasCode | 'unreadable') => `invalid ${step}:${code}`
const refused = (step: string, code: NrasCode) => `valid_but_refused ${step}:${code}`

test('genuine tokens pass every check', () => {
  const report = verifyNras(simulateNras(), {
    jwks,
    now: BigInt(at),
    expectedNonce: `0x${nonce.toUpperCase()}`,
  })
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed'),
    [],
  )
  assert.deepEqual(report.attestation?.devices[1], {
    ...{ name: 'GPU-1', ueid: 'device-1', model: 'GH100' },
    warning: undefined,
  })
})

test("the service's answer is read, and other shapes are refused", () => {
  const { overall, devices } = simulateNras()
  assert.equal(verify(parseNrasResponse(JSON.stringify([['JWT', overall], devices]))), 'accepted')
  for (const odd of [
    [],
    [['JWT', overall]],
    [['JWS', overall], devices],
    [['JWT', overall], ['x']],
    {},
    null,
  ]) {
    assert.throws(() => parseNrasResponse(JSON.stringify(odd)))
  }
  assert.throws(() => parseNrasResponse(' '.repeat(2_000_000)))
})

test('alg none, and every other algorithm', () => {
  const { overall, devices } = simulateNras()
  const [, payload] = overall.split('.') as [string, string]
  const unsigned = `${base64Url({ alg: 'none' })}.${payload}.`
  assert.equal(verify({ overall: unsigned, devices }), invalid('overallSignature', 'algorithm_not_es384'))
  for (const alg of ['None', 'HS256', 'ES256', 'RS256', undefined, ['ES384']]) {
    const changed = check({ overallHeader: { alg } })
    assert.equal(changed, invalid('overallSignature', 'algorithm_not_es384'))
    const device = check({ deviceHeader: { alg } })
    assert.equal(device, invalid('deviceSignatures', 'algorithm_not_es384'))
  }
  // The public key as an HMAC secret: the classic confusion.
  const head = `${base64Url({ alg: 'HS384', kid: 'nv-eat' })}.${payload}`
  const spki = key.publicKey.export({ type: 'spki', format: 'pem' })
  const mac = createHmac('sha384', spki).update(head).digest('base64url')
  assert.equal(
    verify({ overall: `${head}.${mac}`, devices }),
    invalid('overallSignature', 'algorithm_not_es384'),
  )
})

test('keys: of the set only, once, and for this use', () => {
  const stranger = p384Key()
  assert.equal(check({ signer: stranger }), invalid('overallSignature', 'token_signature'))
  assert.equal(check({ deviceSigner: stranger }), invalid('deviceSignatures', 'token_signature'))
  const brought = { jwk: jwkOf(stranger, 'nv-eat') }
  assert.equal(
    check({ signer: stranger, overallHeader: brought }),
    invalid('overallSignature', 'token_signature'),
  )
  const unknown = invalid('overallSignature', 'key_unknown')
  assert.equal(check({ overallHeader: { kid: 'other' } }), unknown)
  assert.equal(check({ overallHeader: { kid: undefined } }), unknown)
  const only = (changes: Claims) => ({ jwks: { keys: [{ ...jwkOf(key, 'nv-eat'), ...changes }] } })
  assert.equal(check({}, only({})), 'accepted')
  assert.equal(check({}, only({ use: undefined, alg: undefined })), 'accepted')
  for (const wrong of [{ use: 'enc' }, { alg: 'ES256' }, { crv: 'P-256' }, { kty: 'RSA' }, { x: 'AA' }]) {
    assert.equal(check({}, only(wrong)), unknown)
  }
  assert.equal(check({}, { jwks: { keys: [jwkOf(key, 'nv-eat'), jwkOf(key, 'nv-eat')] } }), unknown)
  assert.equal(check({}, { jwks: { keys: [null, 7, 'x'] } }), unknown)
  assert.equal(
    check({ overallHeader: { crit: ['b64'], b64: false } }),
    invalid('overallSignature', 'header_unsupported'),
  )
})

test('submodules: swapped, missing, extra, altered, none', () => {
  const swap = (all: Record<string, string>) =>
    ({ 'GPU-0': all['GPU-1'], 'GPU-1': all['GPU-0'] }) as Record<string, string>
  assert.equal(check({ devices: swap }), invalid('submodules', 'submodule_differs'))
  const { 'GPU-0': only } = simulateNras().devices
  assert.equal(
    check({ devices: () => ({ 'GPU-0': only as string }) }),
    invalid('submodules', 'submodule_differs'),
  )
  const without = ({ 'GPU-0': first }: Record<string, string>) => ({ 'GPU-0': first as string })
  assert.equal(check({ devices: without }), invalid('submodules', 'submodule_missing'))
  const extra = (all: Record<string, string>) => ({ ...all, 'GPU-2': all['GPU-0'] as string })
  assert.equal(check({ devices: extra }), invalid('submodules', 'submodule_extra'))
  const inherited = (all: Record<string, unknown>) => ({ ...all, constructor: nrasDigest('x') })
  assert.equal(check({ submods: inherited }), invalid('submodules', 'submodule_missing'))
  assert.equal(
    check({ submods: () => ({}), devices: () => ({}) }),
    invalid('submodules', 'submodule_missing'),
  )
  for (const entry of [['DIGEST'], ['JWT', ['SHA-256', '00']], ['DIGEST', ['SHA-1', '00']], 7, null]) {
    const odd = (all: Record<string, unknown>) => ({ ...all, 'GPU-1': entry })
    assert.equal(check({ submods: odd }), invalid('submodules', 'submodule_differs'))
  }
})

test('issuer, expiry, tokens from the future', () => {
  assert.equal(check({ overall: { iss: 'https://evil' } }), invalid('issuer', 'issuer_differs'))
  assert.equal(check({ overall: { iss: undefined } }), invalid('issuer', 'issuer_differs'))
  assert.equal(check({ device: { iss: 'https://evil' } }), invalid('issuer', 'issuer_differs'))
  assert.equal(check({}, { issuer: 'https://mirror' }), invalid('issuer', 'issuer_differs'))
  assert.equal(check({}, { now: BigInt(at + 3599) }), 'accepted')
  assert.equal(check({}, { now: BigInt(at + 3600) }), invalid('tokenTime', 'token_expired'))
  assert.equal(check({}, { now: BigInt(at - 66) }), invalid('tokenTime', 'token_from_future'))
  assert.equal(check({ overall: { exp: undefined } }), invalid('tokenTime', 'token_timeless'))
  assert.equal(check({ device: { exp: at } }), invalid('tokenTime', 'token_expired'))
  for (const exp of ['1800000000', 1e30, null]) {
    assert.equal(check({ overall: { exp } }), invalid('tokenTime', 'unreadable'))
  }
})

test('eat_nonce: one for all tokens, and ours', () => {
  const other = '00'.repeat(32)
  assert.equal(check({ device: { eat_nonce: other } }), invalid('oneNonce', 'nonces_differ'))
  assert.equal(check({ overall: { eat_nonce: undefined } }), invalid('oneNonce', 'nonces_differ'))
  assert.equal(check({ overall: { eat_nonce: 7 } }), invalid('oneNonce', 'unreadable'))
  assert.equal(check({}, { expectedNonce: keccak256('0x01') }), refused('nonce', 'nonce_differs'))
})

const chain = 'x-nvidia-gpu-driver-rim-cert-chain'

test('claims of versions 2.0 and 3.0, which says null for what it leaves open', () => {
  const bundled = { 'x-nvidia-gpu-driver-rim-cert-validated': true, measres: 'comparison-successful' }
  assert.equal(check({ device: bundled }), 'accepted')
  const apart = {
    ...{ 'x-nvidia-ver': '3.0', secboot: null, dbgstat: null },
    'x-nvidia-mismatch-measurement-records': null,
    [chain]: {
      'x-nvidia-cert-expiration-date': '9999-12-31T23:59:59Z',
      'x-nvidia-cert-status': 'valid',
      'x-nvidia-cert-ocsp-status': 'good',
      'x-nvidia-cert-ocsp-nonce-matches': true,
      'x-nvidia-cert-revocation-reason': null,
    },
  }
  assert.equal(check({ device: apart }), 'accepted')
  assert.equal(check({ device: { ...apart, dbgstat: 'disabled-since-boot' } }), 'accepted')
  assert.equal(check({ device: { ...apart, measres: null } }), refused('deviceResults', 'device_failed'))
})

test("the overall result and each device's", () => {
  for (const result of [false, undefined, 'true', 1]) {
    assert.equal(
      check({ overall: { 'x-nvidia-overall-att-result': result } }),
      refused('overallResult', 'attestation_failed'),
    )
  }
  const failing: Claims[] = [
    { measres: 'fail' },
    { measres: undefined },
    { secboot: false },
    { dbgstat: 'enabled' },
    { 'x-nvidia-gpu-attestation-report-nonce-match': false },
    { 'x-nvidia-gpu-driver-rim-signature-verified': false },
    { 'x-nvidia-a-check-of-next-year': false },
    { [chain]: { 'x-nvidia-cert-status': 'expired' } },
    { [chain]: { 'x-nvidia-cert-status': 'valid', 'x-nvidia-cert-ocsp-status': 'revoked' } },
    { [chain]: { 'x-nvidia-cert-ocsp-nonce-matches': false } },
  ]
  for (const device of failing) {
    assert.equal(check({ device }), refused('deviceResults', 'device_failed'))
  }
})

test('one device counts once, and a denied one not at all', () => {
  assert.equal(check({ device: { ueid: 'device-0' } }), refused('devicesDistinct', 'device_repeated'))
  assert.equal(check({}, { deniedDevices: ['device-1'] }), refused('devicesAccepted', 'device_denied'))
})

test('a token has one spelling: padding, stray bits, extra parts and oversize are refused', () => {
  const { overall, devices } = simulateNras()
  const shape = invalid('tokenShape', 'unreadable')
  for (const text of [
    '',
    '.',
    '..',
    `${overall}.`,
    `${overall}=`,
    ` ${overall}`,
    'a.b.c',
    'x'.repeat(1 << 20),
  ]) {
    assert.equal(verify({ overall: text, devices }), shape)
  }
  assert.equal(verify({ overall: nrasToken([] as unknown as Claims), devices }), shape)
})

test('the twin signature (r, n − s) is the same verdict, but not the same device token', () => {
  const order =
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
  const twinOf = (text: string) => {
    const [head, payload, signature] = text.split('.') as [string, string, string]
    const bytes = Buffer.from(signature, 'base64url')
    const s = order - BigInt(`0x${bytes.subarray(48).toString('hex')}`)
    const twin = Buffer.concat([bytes.subarray(0, 48), Buffer.from(s.toString(16).padStart(96, '0'), 'hex')])
    return `${head}.${payload}.${twin.toString('base64url')}`
  }
  const tokens = simulateNras()
  const hashOf = (overall: string) =>
    verifyNras({ ...tokens, overall }, { jwks, now: BigInt(at) }).attestation?.payloadHash
  assert.notEqual(hashOf(tokens.overall), undefined)
  assert.equal(hashOf(twinOf(tokens.overall)), hashOf(tokens.overall))
  const devices = { ...tokens.devices, 'GPU-0': twinOf(tokens.devices['GPU-0'] as string) }
  assert.equal(verify({ ...tokens, devices }), invalid('submodules', 'submodule_differs'))
})
