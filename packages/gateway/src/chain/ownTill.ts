import { AssayError } from '@assay/protocol'
import type { Address } from 'viem'
import type { GatewayChain } from './gatewayChain.ts'

/**
 * The till of this gateway's operator, opened where there is none yet: by this process, or by another of the same
 * operator that starts at the same time, after which the contract refuses this one.
 * @throws AssayError `config` where it stays shut; whatever kept it from being opened
 */
export async function openOwnTill(
  chain: Pick<GatewayChain, 'till' | 'openTill'>,
  url: string,
): Promise<Address> {
  const open = await chain.till()
  if (open !== undefined) return open
  const refusal = await chain.openTill(url).catch((error: unknown) => error)
  const opened = await chain.till()
  if (opened === undefined) {
    if (refusal !== undefined) throw refusal
    throw new AssayError('The till of this gateway could not be opened.', {
      code: 'config',
      next: 'Check that the escrow address in the network file belongs to this chain.',
    })
  }
  return opened
}
