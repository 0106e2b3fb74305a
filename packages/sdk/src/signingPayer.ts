import {
  deploymentOf,
  encodeRequestAuthHeader,
  type HttpRequestBytes,
  type Network,
  REQUEST_AUTH_HEADER,
  requestAuthDigest,
  requestHash,
  type SignedRequestAuth,
  signDigest,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { AssayFetchOptions } from './assayFetch.ts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { createPayer, readPaymentRequired } from './payer.ts'
import type { Reservation } from './spending.ts'

const DEFAULT_MAX_PER_CALL = 10n ** 19n
/** Seconds for which the payer's own signature on a request stands. */
const AUTH_LIFETIME_SECONDS = 3600n

/** What goes on the wire to pay for a request, and what its receipt must agree with. */
export type Paid = {
  headers: Record<string, string>
  requestAuth?: SignedRequestAuth | undefined
  payer?: Address | undefined
  /** What was set aside for it. */
  reservation?: Reservation | undefined
}

/** Pays the offer of a 402 and signs the request. @throws SdkError */
export type Pay = (
  quoted: Response,
  request: {
    sent: HttpRequestBytes
    modelId: Hex
    /** Most that it may cost by the registry, OPG base units. */
    registryMaximum: bigint
    /** Most by the call's own word. */
    maxPrice: bigint | undefined
  },
) => Promise<Paid>

/** @throws SdkError `offer_rejected` where there is nothing to sign with */
export function signingPayer(options: AssayFetchOptions, network: Network, chain: ChainReader): Pay {
  const { privateKey } = options
  if (privateKey === undefined) {
    throw new SdkError('Nothing is given that could pay.', {
      code: 'offer_rejected',
      next: 'Give the private key of a payer, or an API key under a grant.',
    })
  }
  const payer = createPayer({
    network,
    chain,
    privateKey,
    maxPerCall: options.maxPerCall ?? DEFAULT_MAX_PER_CALL,
    scheme: options.scheme ?? 'upto',
    spending: options.spending,
  })
  return async (quoted, { sent, modelId, registryMaximum, maxPrice }) => {
    void quoted.body?.cancel()
    if (quoted.status !== 402) {
      throw new SdkError('The gateway answered without asking for a payment, so nothing binds the answer.', {
        code: 'receipt_missing',
        facts: { status: quoted.status },
        next: 'Check the gateway address: this may not be an Assay gateway.',
      })
    }
    const payment = await payer.pay(readPaymentRequired(quoted), registryMaximum, maxPrice)
    const auth = {
      requestId: payment.requestId,
      requestHash: requestHash(sent),
      modelId,
      maxPrice: payment.maxPrice,
      committer: network.gateway.toLowerCase() as Hex,
      deadline: BigInt(Math.floor(Date.now() / 1000)) + AUTH_LIFETIME_SECONDS,
    }
    const requestAuth = {
      auth,
      signature: await signDigest(requestAuthDigest(auth, deploymentOf(network)), privateKey),
    }
    const headers = { ...payment.headers, [REQUEST_AUTH_HEADER]: encodeRequestAuthHeader(requestAuth) }
    return { headers, requestAuth, payer: payer.address, reservation: payment.reservation }
  }
}
