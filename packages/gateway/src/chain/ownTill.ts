import { AssayError } from '@assay/protocol'
import type { Address } from 'viem'
import type { GatewayChain } from './gatewayChain.ts'

/** The till of this gateway's operator, opened where there is none yet. @throws AssayError `config` where it stays shut */
export async function openOwnTill(chain: GatewayChain, url: string): Promise<Address> {
  const open = await chain.till()
  if (open !== undefined) return open
  await chain.openTill(url)
  const opened = await chain.till()
  if (opened === undefined) {
    throw new AssayError('The till of this gateway could not be opened.', {
      code: 'config',
      next: 'Check that the escrow address in the network file belongs to this chain.',
    })
  }
  return opened
}
