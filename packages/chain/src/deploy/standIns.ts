import { loadArtifact } from '@assay/contracts/artifacts'
import {
  AssayError,
  PERMIT2_ADDRESS,
  X402_EXACT_PROXY_ADDRESS,
  X402_UPTO_PROXY_ADDRESS,
} from '@assay/protocol'
import type { PublicClient } from 'viem'
import type { Devnet } from '../devnet/startDevnet.ts'

/** Contracts of others that exist on every public chain, and what stands in for them on the development chain. */
const CANONICAL = [
  { address: PERMIT2_ADDRESS, standIn: 'DevPermit2', what: 'Permit2' },
  { address: X402_EXACT_PROXY_ADDRESS, standIn: 'DevX402ExactProxy', what: 'the x402 exact proxy' },
  { address: X402_UPTO_PROXY_ADDRESS, standIn: 'DevX402UptoProxy', what: 'the x402 upto proxy' },
] as const

/** Puts development stand-ins for Permit2 and the x402 proxies at their canonical addresses. */
export async function placeStandIns(
  client: PublicClient,
  devnet: Pick<Devnet, 'admin' | 'snapshot'>,
): Promise<void> {
  let changed = false
  for (const { address, standIn } of CANONICAL) {
    const { deployedBytecode } = loadArtifact(standIn)
    if ((await client.getCode({ address })) === deployedBytecode) continue
    await devnet.admin('anvil_setCode', [address, deployedBytecode])
    changed = true
  }
  // No transaction carries this change, so no journal holds it: it must be in a snapshot before anything builds on it.
  if (changed) await devnet.snapshot()
}

/** @throws AssayError `config` where the chain lacks a contract that payments go through. */
export async function requireCanonical(client: PublicClient): Promise<void> {
  for (const { address, what } of CANONICAL) {
    if ((await client.getCode({ address })) !== undefined) continue
    throw new AssayError(`The chain has no ${what} at its canonical address.`, {
      code: 'config',
      facts: { address },
      next: 'Deploy it there first (both projects publish how), or choose a chain that has it.',
    })
  }
}
