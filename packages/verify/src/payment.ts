import { fromBase64, recoverSigner, requestIdOf, SCHEME, X402_UPTO_PROXY_ADDRESS } from '@assay/protocol'
import { type Address, type Hex, numberToHex } from 'viem'
import { permitDigest, transferDigest } from './paymentDigest.ts'

/** Longest PAYMENT-SIGNATURE header that is looked at, characters (an ordinary one has about 1,500). */
export const MAX_PAYMENT_HEADER = 16_384
/** Seconds a payment must still be good for, so that the answer can be served and the money collected. */
export const PAYMENT_MARGIN_SECONDS = 30n

export type CheckPaymentParameters = {
  /** Value of the PAYMENT-SIGNATURE header (x402 v2: base64 of JSON). */
  header: string
  chainId: number
  /** OPG. */
  token: Address
  escrow: Address
  /** Till of `committer`: `payTo` of both schemes, `facilitator` of upto. */
  till: Address
  /** Gateway operator that may collect. */
  committer: Address
  /** Least that must be authorised, OPG base units. */
  minAmount: bigint
  /** Chain time, Unix seconds. */
  now: bigint
  /** Seconds of validity that must remain; `PAYMENT_MARGIN_SECONDS` by default. */
  margin?: bigint | undefined
}

/** Argument of `InferenceEscrow.collectExact`: an EIP-3009 authorisation and the gateway whose till it pays. */
export type ExactPayment = {
  payer: Address
  gateway: Address
  /** OPG base units. */
  value: bigint
  /** Unix seconds, both exclusive (EIP-3009). */
  validAfter: bigint
  validBefore: bigint
  nonce: Hex
  signature: Hex
}

/** What `InferenceEscrow.collectUpto` needs beside the actual amount: the Permit2 permit with its x402 witness. */
export type UptoAuthorisation = {
  payer: Address
  permit: { permitted: { token: Address; amount: bigint }; nonce: bigint; deadline: bigint }
  witness: { to: Address; facilitator: Address; validAfter: bigint }
  signature: Hex
}

export type PaymentFailureCode =
  | 'payment_malformed' // not base64 JSON of the x402 v2 shape, or over a size bound
  | 'payment_version' // not x402Version 2
  | 'payment_scheme' // a scheme or transfer method this network does not take
  | 'payment_network' // another chain
  | 'payment_asset' // another token
  | 'payment_recipient' // does not pay this gateway's till
  | 'payment_amount' // authorises less than the quote
  | 'payment_not_yet_valid'
  | 'payment_expired' // or expires before it could be collected
  | 'payment_signature' // not signed by the payer it names

export type CheckedPayment = {
  ok: true
  payer: Address
  /** 32 bytes of entropy that make the request id: the EIP-3009 nonce or the Permit2 nonce, big-endian. */
  paymentNonce: Hex
  requestId: Hex
  /** Most that may be taken, OPG base units. */
  amount: bigint
  /** Last second at which it can be collected, Unix seconds. */
  expiresAt: bigint
} & (
  | { scheme: 'exact'; schemeId: typeof SCHEME.exact; exact: ExactPayment }
  | { scheme: 'upto'; schemeId: typeof SCHEME.upto; upto: UptoAuthorisation }
)
export type RefusedPayment = { ok: false; code: PaymentFailureCode; reason: string }
export type CheckPaymentResult = CheckedPayment | RefusedPayment

/** Carries a refusal out of the readers below; never leaves this file. */
class Refusal extends Error {
  readonly code: PaymentFailureCode
  constructor(code: PaymentFailureCode, reason: string) {
    super(reason)
    this.code = code
  }
}

function refuse(code: PaymentFailureCode, reason: string): never {
  throw new Refusal(code, reason)
}

function objectAt(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse('payment_malformed', `${where} must be an object.`)
  }
  return value as Record<string, unknown>
}

function hexAt(value: unknown, where: string, bytes: number): Hex {
  // The length is tested first, so that no pattern runs over a long string.
  if (typeof value !== 'string' || value.length !== 2 + 2 * bytes || !/^0x[0-9a-fA-F]+$/.test(value)) {
    refuse('payment_malformed', `${where} must be ${bytes} bytes of hex.`)
  }
  return value.toLowerCase() as Hex
}

function uintAt(value: unknown, where: string, bits: number): bigint {
  if (typeof value !== 'string' || value.length > 78 || !/^(0|[1-9][0-9]*)$/.test(value)) {
    refuse('payment_malformed', `${where} must be a decimal string.`)
  }
  const integer = BigInt(value)
  if (integer >> BigInt(bits) !== 0n) refuse('payment_malformed', `${where} must be below 2^${bits}.`)
  return integer
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function decodeHeader(header: string): Record<string, unknown> {
  if (typeof header !== 'string' || header.length === 0 || header.length > MAX_PAYMENT_HEADER) {
    refuse('payment_malformed', `The header must have 1 to ${MAX_PAYMENT_HEADER} characters.`)
  }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64(header)))
  } catch {
    refuse('payment_malformed', 'The header is not base64 of JSON.')
  }
  return objectAt(value, 'payment')
}

/** The requirement that the client says it accepted must be one of ours, not merely look payable. */
function readAccepted(payment: Record<string, unknown>, expected: CheckPaymentParameters): 'exact' | 'upto' {
  if (payment.x402Version !== 2) refuse('payment_version', 'Only x402 version 2 is taken.')
  const accepted = objectAt(payment.accepted, 'accepted')
  const scheme = accepted.scheme
  if (scheme !== 'exact' && scheme !== 'upto') refuse('payment_scheme', 'The scheme must be exact or upto.')
  const network = `eip155:${expected.chainId}`
  if (accepted.network !== network) refuse('payment_network', `The payment must be on ${network}.`)
  if (!sameAddress(hexAt(accepted.asset, 'accepted.asset', 20), expected.token)) {
    refuse('payment_asset', `The payment must be in OPG (${expected.token}).`)
  }
  if (!sameAddress(hexAt(accepted.payTo, 'accepted.payTo', 20), expected.till)) {
    refuse('payment_recipient', `The payment must go to the till ${expected.till}.`)
  }
  return scheme
}

function checkWindow(validAfter: bigint, expiresAt: bigint, expected: CheckPaymentParameters): void {
  if (validAfter >= expected.now) refuse('payment_not_yet_valid', `The payment is valid after ${validAfter}.`)
  const margin = expected.margin ?? PAYMENT_MARGIN_SECONDS
  if (expiresAt < expected.now + margin) {
    refuse('payment_expired', `The payment must stay valid ${margin} s from now (${expected.now}).`)
  }
}

function checkAmount(amount: bigint, expected: CheckPaymentParameters): void {
  if (amount < expected.minAmount) {
    refuse('payment_amount', `The payment authorises ${amount}, the request may cost ${expected.minAmount}.`)
  }
}

async function checkSigner(digest: Hex, signature: Hex, payer: Address): Promise<void> {
  let signer: Address
  try {
    signer = await recoverSigner(digest, signature)
  } catch {
    refuse('payment_signature', 'The signature is not a canonical 65-byte one (low s, v 27 or 28).')
  }
  if (!sameAddress(signer, payer)) {
    refuse('payment_signature', `The signature recovers ${signer}, not the payer ${payer}.`)
  }
}

async function checkExact(
  payload: Record<string, unknown>,
  expected: CheckPaymentParameters,
): Promise<CheckedPayment> {
  if (payload.permit2Authorization !== undefined) {
    refuse('payment_scheme', 'exact is taken over EIP-3009 only; use upto for Permit2.')
  }
  const authorization = objectAt(payload.authorization, 'authorization')
  const payer = hexAt(authorization.from, 'authorization.from', 20) as Address
  const to = hexAt(authorization.to, 'authorization.to', 20) as Address
  const value = uintAt(authorization.value, 'authorization.value', 128)
  const validAfter = uintAt(authorization.validAfter, 'authorization.validAfter', 256)
  const validBefore = uintAt(authorization.validBefore, 'authorization.validBefore', 256)
  const nonce = hexAt(authorization.nonce, 'authorization.nonce', 32)
  const signature = hexAt(payload.signature, 'signature', 65)
  if (!sameAddress(to, expected.till)) {
    refuse('payment_recipient', `The authorisation must pay the till ${expected.till}.`)
  }
  checkAmount(value, expected)
  // EIP-3009: usable while validAfter < block time < validBefore, so the last usable second is one less.
  const expiresAt = validBefore === 0n ? 0n : validBefore - 1n
  checkWindow(validAfter, expiresAt, expected)
  const transfer = { from: payer, to, value, validAfter, validBefore, nonce }
  const digest = transferDigest(expected.chainId, expected.token, transfer)
  await checkSigner(digest, signature, payer)
  return {
    ok: true,
    scheme: 'exact',
    schemeId: SCHEME.exact,
    payer,
    paymentNonce: nonce,
    requestId: requestIdOf({ ...expected, payer, scheme: SCHEME.exact, paymentNonce: nonce }),
    amount: value,
    expiresAt,
    exact: { payer, gateway: expected.committer, value, validAfter, validBefore, nonce, signature },
  }
}

async function checkUpto(
  payload: Record<string, unknown>,
  expected: CheckPaymentParameters,
): Promise<CheckedPayment> {
  const authorization = objectAt(payload.permit2Authorization, 'permit2Authorization')
  const permitted = objectAt(authorization.permitted, 'permitted')
  const witness = objectAt(authorization.witness, 'witness')
  const payer = hexAt(authorization.from, 'permit2Authorization.from', 20) as Address
  const spender = hexAt(authorization.spender, 'spender', 20) as Address
  const token = hexAt(permitted.token, 'permitted.token', 20) as Address
  const amount = uintAt(permitted.amount, 'permitted.amount', 128)
  const nonce = uintAt(authorization.nonce, 'nonce', 256)
  const deadline = uintAt(authorization.deadline, 'deadline', 256)
  const to = hexAt(witness.to, 'witness.to', 20) as Address
  const facilitator = hexAt(witness.facilitator, 'witness.facilitator', 20) as Address
  const validAfter = uintAt(witness.validAfter, 'witness.validAfter', 256)
  const signature = hexAt(payload.signature, 'signature', 65)
  if (!sameAddress(spender, X402_UPTO_PROXY_ADDRESS)) {
    refuse('payment_recipient', `The permit must name the x402 upto proxy ${X402_UPTO_PROXY_ADDRESS}.`)
  }
  if (!sameAddress(token, expected.token)) {
    refuse('payment_asset', `The permit must be in OPG (${expected.token}).`)
  }
  if (!sameAddress(to, expected.till) || !sameAddress(facilitator, expected.till)) {
    refuse('payment_recipient', `The permit must pay, and be collected by, the till ${expected.till}.`)
  }
  checkAmount(amount, expected)
  checkWindow(validAfter, deadline, expected)
  const digest = permitDigest(expected.chainId, {
    permitted: { token, amount },
    spender,
    nonce,
    deadline,
    witness: { to, facilitator, validAfter },
  })
  await checkSigner(digest, signature, payer)
  const paymentNonce = numberToHex(nonce, { size: 32 })
  return {
    ok: true,
    scheme: 'upto',
    schemeId: SCHEME.upto,
    payer,
    paymentNonce,
    requestId: requestIdOf({ ...expected, payer, scheme: SCHEME.upto, paymentNonce }),
    amount,
    expiresAt: deadline,
    upto: {
      payer,
      permit: { permitted: { token, amount }, nonce, deadline },
      witness: { to, facilitator, validAfter },
      signature,
    },
  }
}

/**
 * Whether a PAYMENT-SIGNATURE header (x402 v2) authorises this gateway's till to collect at least `minAmount` OPG.
 * Pure: balance, allowance and a used nonce are the chain's to answer. Signers are externally owned accounts; a contract
 * wallet's signature (ERC-1271) cannot be checked without a chain and is refused. Never throws, whatever the header.
 */
export async function checkPayment(parameters: CheckPaymentParameters): Promise<CheckPaymentResult> {
  try {
    const payment = decodeHeader(parameters.header)
    const scheme = readAccepted(payment, parameters)
    const payload = objectAt(payment.payload, 'payload')
    return await (scheme === 'exact' ? checkExact(payload, parameters) : checkUpto(payload, parameters))
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, code: error.code, reason: error.message }
    return { ok: false, code: 'payment_malformed', reason: 'The payment could not be read.' }
  }
}
