import type { Network } from '@assay/protocol'
import { CONFIDENTIAL_HEADERS, OPG_DOMAIN, requestIdOf, SCHEME } from '@assay/protocol'
import { x402Client, x402HTTPClient } from '@x402/core/client'
import type { PaymentPayload, PaymentRequired, PaymentRequirements } from '@x402/core/types'
import { ExactEvmScheme, UptoEvmScheme } from '@x402/evm'
import { type Address, type Hex, isAddressEqual, numberToHex, zeroAddress } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { readingChain } from './readingChain.ts'
import type { Reservation, SpendingLimit } from './spending.ts'

/**
 * Longest that a payment may stay good. What was set aside for it is counted for a day: one that could be used after that
 * would be spent beyond the limit of its day.
 */
const LONGEST_PAYMENT_SECONDS = 86_400

export type PaymentScheme = 'upto' | 'exact'

/** One signed payment: what goes on the wire and what the receipt must agree with. */
export type Payment = {
  /** Headers to add to the paid request. */
  headers: Record<string, string>
  requestId: Hex
  /** Most that can be taken, OPG base units. */
  maxPrice: bigint
  /** What was set aside for it. */
  reservation: Reservation | undefined
}

/** Parses the offers of a 402. @throws SdkError `offer_rejected` */
export function readPaymentRequired(response: Response): PaymentRequired {
  try {
    return new x402HTTPClient(new x402Client()).getPaymentRequiredResponse((name) =>
      response.headers.get(name),
    )
  } catch (cause) {
    throw new SdkError('The gateway asked for a payment without an x402 v2 offer.', {
      code: 'offer_rejected',
      next: 'Check the gateway address: this may not be an Assay gateway.',
      cause,
    })
  }
}

/**
 * Makes payments for one payer on one network through the official x402 client. An offer is accepted only if it pays
 * OPG to the till that the chain knows for this gateway, and stays under the caller's limit.
 */
export function createPayer(parameters: {
  network: Network
  chain: ChainReader
  privateKey: Hex
  /** OPG base units. */
  maxPerCall: bigint
  scheme: PaymentScheme
  /** What may be spent over time. */
  spending?: SpendingLimit | undefined
}): {
  address: Address
  /**
   * @param registryMaximum most that the call may cost by the registry, OPG base units
   * @param callMaximum most by the call's own word
   */
  pay(required: PaymentRequired, registryMaximum: bigint, callMaximum?: bigint | undefined): Promise<Payment>
} {
  const { network, chain, privateKey, maxPerCall } = parameters
  const account = accountOf(privateKey)
  const caip2 = `eip155:${network.chainId}` as const
  let till: Promise<Address> | undefined

  /** The till never changes once opened, so it is read once; a failed read is forgotten. */
  function readTill(): Promise<Address> {
    till ??= chain.tillOf(network.gateway).then((address) => {
      if (isAddressEqual(address, zeroAddress)) {
        throw new SdkError('This gateway has opened no till, so it cannot be paid.', {
          code: 'offer_rejected',
          facts: { gateway: network.gateway },
        })
      }
      return address
    })
    till.catch(() => {
      till = undefined
    })
    return till
  }

  return {
    address: account.address,
    async pay(required, registryMaximum, callMaximum = maxPerCall) {
      const payTo = await readingChain(readTill())
      const offers = Array.isArray(required.accepts) ? required.accepts.filter(isOffer) : []
      const acceptable = offers.filter((offer) => isOurs(offer, network, caip2, payTo))
      if (acceptable.length === 0) {
        throw new SdkError('No payment offer of the gateway pays OPG to its own till, within a day.', {
          code: 'offer_rejected',
          facts: { till: payTo, offered: offers.map((offer) => offer.payTo).join(', ') },
          next: 'Do not pay this gateway. If the network was redeployed, fetch its network file again.',
        })
      }
      const [limit, most] =
        callMaximum < maxPerCall ? [CONFIDENTIAL_HEADERS.maxPrice, callMaximum] : ['maxPerCall', maxPerCall]
      const affordable = acceptable.filter((offer) => BigInt(offer.amount) <= most)
      if (affordable.length === 0) {
        throw new SdkError('The most this call can cost is above your limit.', {
          code: 'over_limit',
          facts: { quote: BigInt(acceptable[0]?.amount ?? 0), [limit]: most },
          next: `Lower max_tokens, or raise ${limit}.`,
        })
      }
      const offer = await chooseOffer(affordable)
      mustBeRegistered(BigInt(offer.amount), registryMaximum)
      // On record before it is signed: what is signed can be taken.
      const reservation = parameters.spending?.reserve(BigInt(offer.amount))
      const client = new x402Client()
        .register(caip2, new UptoEvmScheme(account))
        .register(caip2, new ExactEvmScheme(account))
        .setSpendControls({
          allowedAssets: [
            { network: caip2, asset: network.contracts.OPG, maxAmountPerPayment: maxPerCall.toString() },
          ],
        })
      const payload = await client
        .createPaymentPayload({ ...required, accepts: [offer] })
        .catch((cause: unknown) => {
          reservation?.settle(0n)
          throw new SdkError('What the gateway offers cannot be signed; nothing is paid.', {
            code: 'offer_rejected',
            next: 'Check the gateway address: this may not be an Assay gateway.',
            cause,
          })
        })
      return {
        headers: new x402HTTPClient(client).encodePaymentSignatureHeader(payload),
        requestId: requestIdOf({
          chainId: network.chainId,
          escrow: network.contracts.InferenceEscrow,
          payer: account.address,
          ...paymentNonceOf(payload),
        }),
        maxPrice: BigInt(offer.amount),
        reservation,
      }
    },
  }

  /** `upto` pays what was used, but needs the payer's Permit2 approval; `exact` needs none and returns the rest as credit. */
  async function chooseOffer(offers: PaymentRequirements[]): Promise<PaymentRequirements> {
    const upto = offers.find((offer) => offer.scheme === 'upto')
    const exact = offers.find((offer) => offer.scheme === 'exact')
    if (parameters.scheme === 'exact' || upto === undefined) return (exact ?? upto) as PaymentRequirements
    if (exact === undefined) return upto
    const allowance = await readingChain(chain.permit2Allowance(account.address))
    return allowance >= BigInt(upto.amount) ? upto : exact
  }
}

/** @throws SdkError `offer_rejected`; the library's own words would repeat the key */
function accountOf(privateKey: Hex): PrivateKeyAccount {
  try {
    return privateKeyToAccount(privateKey)
  } catch {
    throw new SdkError('What is given to pay with is not a private key.', {
      code: 'offer_rejected',
      next: 'Give 32 bytes in hex, with 0x before them.',
    })
  }
}

/** @throws SdkError `offer_rejected` for an offer above the publisher's own price */
function mustBeRegistered(amount: bigint, registryMaximum: bigint): void {
  if (amount <= registryMaximum) return
  throw new SdkError('The gateway asks for more than the price that stands in the registry.', {
    code: 'offer_rejected',
    facts: { asked: amount, registered: registryMaximum },
    next: 'Ask again: it may hold the price of a moment ago. If it stays, do not pay this gateway.',
  })
}

/** Whether it has the form of one: what a gateway sends is anybody's. */
function isOffer(value: unknown): value is PaymentRequirements {
  if (typeof value !== 'object' || value === null) return false
  const { scheme, network, asset, amount, payTo, extra } = value as Record<string, unknown>
  const texts = [scheme, network, asset, amount, payTo]
  return texts.every((text) => typeof text === 'string') && typeof extra === 'object' && extra !== null
}

function isOurs(offer: PaymentRequirements, network: Network, caip2: string, payTo: Address): boolean {
  const known = offer.scheme === 'upto' || offer.scheme === 'exact'
  if (!known || offer.network !== caip2 || !/^[1-9][0-9]{0,38}$/.test(offer.amount)) return false
  const { maxTimeoutSeconds: lifetime } = offer
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > LONGEST_PAYMENT_SECONDS) return false
  if (!sameAddress(offer.asset, network.contracts.OPG) || !sameAddress(offer.payTo, payTo)) return false
  // The permit's witness names who may collect: it must be the same till (docs/spec.md §9).
  if (offer.scheme === 'upto') return sameAddress(String(offer.extra?.facilitatorAddress), payTo)
  const method = offer.extra?.assetTransferMethod
  return (
    (method === undefined || method === 'eip3009') &&
    offer.extra?.name === OPG_DOMAIN.name &&
    offer.extra?.version === OPG_DOMAIN.version
  )
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

/** Scheme number and nonce as they enter the request id (docs/spec.md §3). */
function paymentNonceOf(payload: PaymentPayload): { scheme: number; paymentNonce: Hex } {
  const { permit2Authorization, authorization } = payload.payload as {
    permit2Authorization?: { nonce: string }
    authorization?: { nonce: Hex }
  }
  if (permit2Authorization !== undefined) {
    return {
      scheme: SCHEME.upto,
      paymentNonce: numberToHex(BigInt(permit2Authorization.nonce), { size: 32 }),
    }
  }
  if (authorization === undefined) throw new Error('unreachable: both schemes carry an authorisation')
  return { scheme: SCHEME.exact, paymentNonce: authorization.nonce }
}
