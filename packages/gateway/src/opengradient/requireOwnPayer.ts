import type { Network } from '@assay/protocol'
import { type Address, isAddressEqual } from 'viem'
import { RefusedError } from '../http/dialectError.ts'

/**
 * Under the profile the chain may have Base's id, where a key's signature over a payment could be worth something to whoever
 * sees it. So payments are taken of the one account that was made for this network and was never anywhere else.
 * @throws RefusedError 403
 */
export function requireOwnPayer({ profile }: Network, payer: Address): void {
  if (profile === undefined || isAddressEqual(profile.payer, payer)) return
  throw new RefusedError({
    status: 403,
    message: `Under this profile only the account that was made with the network pays (${profile.payer}); its key is accounts.demo.privateKey of network.json. A key of yours must not sign for this chain id: docs/opengradient.md.`,
    type: 'invalid_request_error',
    code: 'foreign_payer',
  })
}
