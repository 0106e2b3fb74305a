import { loadNetwork } from '@assay/chain'
import type { Network } from '@assay/protocol'
import type { Hex } from 'viem'
import type { VerifiedAnswer } from './answer.ts'
import type { ChainReader } from './chainReader.ts'
import { dropInFetch } from './dropInFetch.ts'
import type { SdkError } from './errors.ts'
import { mustBeOptions } from './parameters.ts'
import type { PaymentScheme } from './payer.ts'
import type { SpendingLimit } from './spending.ts'
import { createVerifiedFetch } from './verifiedFetch.ts'

export type AssayFetchOptions = {
  /** The network: its file's content, or `networkPath`. */
  network?: Network | undefined
  /** Path of a network file, e.g. `.assay/network.json`. */
  networkPath?: string | undefined
  /** Payer's key; it signs payments and requests, and never leaves this process. Needed where there is no `apiKey`. */
  privateKey?: Hex | undefined
  /** Key under a spending grant, which then pays: nothing is signed for a call, and its limits are the grant's. */
  apiKey?: string | undefined
  /** Most that one call may cost, OPG base units. Default 10 OPG. */
  maxPerCall?: bigint | undefined
  /** What may be spent over time, see `spendingLimit`; calls of an API key are limited by its grant alone. */
  spending?: SpendingLimit | undefined
  /**
   * Other gateways of the same network, asked in this order where the first cannot serve. A call that may have been
   * paid for is never taken to another. Not with an API key, whose grant names its gateway.
   */
  fallbacks?: readonly Pick<Network, 'gateway' | 'gatewayUrl'>[] | undefined
  /** `upto` (default) pays what was used; `exact` pays the quote and gets the rest as credit. */
  scheme?: PaymentScheme | undefined
  /** Hold streamed content back until it is verified. Default false. */
  buffer?: boolean | undefined
  /**
   * Encrypt requests to the enclave's attested key, so that the gateway sees sizes only. Default false. An enclave that
   * cannot be trusted is an error, and nothing is sent.
   */
  confidential?: boolean | undefined
  /** Called once per answer, after it was verified and before its end is released. */
  onAnswer?: ((answer: VerifiedAnswer) => void) | undefined
  /**
   * Called where a stream that the caller left could not be verified to its end. Leaving a stream stops the model, and
   * what it had said till then is fetched and verified like any answer.
   */
  onUnverified?: ((error: SdkError) => void) | undefined
  /** Reads the chain; default the network's RPC. */
  chain?: ChainReader | undefined
}

/**
 * A drop-in `fetch` for the OpenAI and Anthropic clients. It pays the gateway's 402, signs the request, and verifies
 * the answer: a whole answer before the promise resolves, a stream before its end. Error answers (status ≥ 400) pass
 * through, as they cost nothing and carry no content. An answer that was paid for and is withheld is an error of the
 * dialect with `x-should-retry: false`, since the vendors' clients ask, and so pay, again where a fetch rejects; so is
 * a call that no other attempt could make good: an unknown model, one above a limit, an encoded body.
 * @throws SdkError, from the promise where nothing was paid or, for a stream, from the body; at once for an unknown option
 */
export function assayFetch(options: AssayFetchOptions): typeof globalThis.fetch {
  mustBeOptions(options)
  return dropInFetch(createVerifiedFetch(options), options)
}

export function networkOf(options: Pick<AssayFetchOptions, 'network' | 'networkPath'>): Network {
  if (options.network !== undefined) return options.network
  return loadNetwork(options.networkPath ?? '.assay/network.json')
}
