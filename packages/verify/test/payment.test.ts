import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPG_DOMAIN, requestIdOf, SCHEME } from '@assay/protocol'
import { encodePaymentSignatureHeader } from '@x402/core/http'
import type { PaymentRequirements } from '@x402/core/types'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { UptoEvmScheme } from '@x402/evm/upto/client'
import fc from 'fast-check'
import { numberToHex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { type CheckedPayment, checkPayment } from '../src/index.ts'

const chainId = 31337
const token = '0x5fbdb2315678afecb367f032d93f642f64180aa3'
const till = '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0'
const escrow = '0xdc64a140aa3e981100a9beca4e685f962f0cf6c9'
const committer = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8'
const payer = privateKeyToAccount(generatePrivateKey())
const now = BigInt(Math.floor(Date.now() / 1000))

const requirements: PaymentRequirements = {
  scheme: 'exact',
  network: `eip155:${chainId}`,
  asset: token,
  amount: '1000',
  payTo: till,
  maxTimeoutSeconds: 300,
  extra: { ...OPG_DOMAIN, facilitatorAddress: till },
}

type Payment = {
  x402Version: number
  accepted: PaymentRequirements
  payload: Record<string, unknown>
}

async function pay(scheme: 'exact' | 'upto', overrides: Partial<PaymentRequirements> = {}): Promise<Payment> {
  const accepted = { ...requirements, scheme, ...overrides }
  const client = scheme === 'exact' ? new ExactEvmScheme(payer) : new UptoEvmScheme(payer)
  const result = await client.createPaymentPayload(2, accepted)
  return { x402Version: 2, accepted, payload: result.payload }
}

function check(payment: Payment | string, overrides: Partial<Parameters<typeof checkPayment>[0]> = {}) {
  const header =
    typeof payment === 'string'
      ? payment
      : encodePaymentSignatureHeader(payment as Parameters<typeof encodePaymentSignatureHeader>[0])
  return checkPayment({
    header,
    chainId,
    token,
    escrow,
    till,
    committer,
    minAmount: 1000n,
    now,
    ...overrides,
  })
}

async function accepted(payment: Payment): Promise<CheckedPayment> {
  const result = await check(payment)
  assert.ok(result.ok, result.ok ? undefined : result.reason)
  return result
}

/** Replaces the leaf at `path` of a payment. */
function alter(payment: Payment, path: string, value: unknown): Payment {
  const copy = structuredClone(payment) as unknown as Record<string, unknown>
  const names = path.split('.')
  let at = copy
  for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>
  at[names.at(-1) as string] = value
  return copy as unknown as Payment
}

test('x402 exact (EIP-3009): what the official client signs is accepted, with all that collection needs', async () => {
  const payment = await pay('exact')
  const result = await accepted(payment)
  assert.equal(result.scheme, 'exact')
  assert.equal(result.payer, payer.address.toLowerCase())
  assert.equal(result.amount, 1000n)
  const authorization = payment.payload.authorization as Record<string, string>
  assert.equal(result.paymentNonce, authorization.nonce)
  assert.equal(
    result.requestId,
    requestIdOf({
      chainId,
      escrow,
      payer: payer.address,
      scheme: SCHEME.exact,
      paymentNonce: result.paymentNonce,
    }),
  )
  assert.ok(result.scheme === 'exact')
  assert.equal(result.exact.gateway, committer)
  assert.equal(result.exact.signature, payment.payload.signature)
})

test('x402 upto (Permit2): what the official client signs is accepted, with all that collection needs', async () => {
  const payment = await pay('upto')
  const result = await accepted(payment)
  assert.ok(result.scheme === 'upto')
  const permit = payment.payload.permit2Authorization as Record<string, string>
  assert.equal(result.paymentNonce, numberToHex(BigInt(permit.nonce as string), { size: 32 }))
  assert.deepEqual(result.upto.witness, { to: till, facilitator: till, validAfter: 0n })
  assert.equal(result.upto.permit.deadline, result.expiresAt)
})

test('a payment for anything else than this quote is refused with a code', async () => {
  const other = '0x00000000000000000000000000000000000000aa'
  for (const scheme of ['exact', 'upto'] as const) {
    const expectations = [
      [await pay(scheme, { network: 'eip155:8453' }), 'payment_network'],
      [await pay(scheme, { asset: other }), 'payment_asset'],
      [await pay(scheme, { payTo: other }), 'payment_recipient'],
      [await pay(scheme, { amount: '999' }), 'payment_amount'],
      [await pay(scheme, { maxTimeoutSeconds: 5 }), 'payment_expired'],
      [{ ...(await pay(scheme)), x402Version: 1 }, 'payment_version'],
    ] as const
    for (const [payment, code] of expectations) {
      const result = await check(payment)
      assert.ok(!result.ok)
      assert.equal(result.code, code, scheme)
    }
    assert.equal((await check(await pay(scheme), { now: now + 280n })).ok, false)
    // Accepting our requirement in words while authorising another in the payload.
    const elsewhere = await pay(scheme, { payTo: other })
    elsewhere.accepted.payTo = till
    const result = await check(elsewhere)
    assert.ok(!result.ok && result.code === 'payment_recipient')
  }
  const permit2Exact = await pay('exact', {
    extra: { ...OPG_DOMAIN, assetTransferMethod: 'permit2' },
  })
  const result = await check(permit2Exact)
  assert.ok(!result.ok && result.code === 'payment_scheme')
  const facilitator = await check(await pay('upto', { extra: { ...OPG_DOMAIN, facilitatorAddress: other } }))
  assert.ok(!facilitator.ok && facilitator.code === 'payment_recipient')
})

test('every signed member counts: altering one breaks the signature or is refused before', async () => {
  const exact = await pay('exact')
  const upto = await pay('upto')
  const cases: [Payment, string, unknown][] = [
    [exact, 'payload.authorization.from', '0x00000000000000000000000000000000000000aa'],
    [exact, 'payload.authorization.value', '1001'],
    [exact, 'payload.authorization.validAfter', '1'],
    [exact, 'payload.authorization.validBefore', String(now + 3000n)],
    [exact, 'payload.authorization.nonce', `0x${'11'.repeat(32)}`],
    [exact, 'payload.signature', `0x${'11'.repeat(65)}`],
    [upto, 'payload.permit2Authorization.from', '0x00000000000000000000000000000000000000aa'],
    [upto, 'payload.permit2Authorization.permitted.amount', '5000'],
    [upto, 'payload.permit2Authorization.nonce', '1'],
    [upto, 'payload.permit2Authorization.deadline', String(now + 3000n)],
    [upto, 'payload.permit2Authorization.witness.validAfter', '1'],
    [upto, 'payload.permit2Authorization.spender', '0x402085c248eea27d92e8b30b2c58ed07f9e20001'],
  ]
  for (const [payment, path, value] of cases) {
    assert.equal((await check(payment)).ok, true)
    assert.equal((await check(alter(payment, path, value))).ok, false, path)
  }
})

test('the malleable twin of a signature (EIP-2, high s) is refused', async () => {
  const payment = await pay('exact')
  const signature = payment.payload.signature as string
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = order - BigInt(`0x${signature.slice(66, 130)}`)
  const v = signature.slice(130) === '1b' ? '1c' : '1b'
  const twin = `${signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}`
  const result = await check(alter(payment, 'payload.signature', twin))
  assert.ok(!result.ok && result.code === 'payment_signature')
})

test('hostile headers give a refusal, never an exception', async () => {
  const honest = await pay('upto')
  const paths = [
    'x402Version',
    'accepted',
    'accepted.scheme',
    'accepted.asset',
    'payload',
    'payload.signature',
    'payload.permit2Authorization',
    'payload.permit2Authorization.from',
    'payload.permit2Authorization.permitted',
    'payload.permit2Authorization.permitted.amount',
    'payload.permit2Authorization.nonce',
    'payload.permit2Authorization.witness',
    'payload.permit2Authorization.witness.to',
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async (path, value) => {
      assert.equal((await check(alter(honest, path, value))).ok, path === 'x402Version' && value === 2)
    }),
    { numRuns: 300 },
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.base64String()), async (header) => {
      assert.equal((await check(header)).ok, false)
    }),
  )
  for (const header of ['', 'A'.repeat(1_000_000), btoa('[]'), btoa('null'), btoa('{"x402Version":2}')]) {
    assert.equal((await check(header)).ok, false)
  }
})
