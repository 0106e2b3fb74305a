import { AssayError, larger, smaller } from '@assay/protocol'
import type { PublicClient } from 'viem'

/** EIP-1559 fees, wei per gas. */
export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }

/** Above this nobody should pay without having said so: 500 gwei. */
export const DEFAULT_FEE_CAP = 500_000_000_000n

/** Fees that stay valid while the base fee doubles (six full blocks), within `cap`. @throws AssayError `config` */
export async function currentFees(client: PublicClient, cap: bigint): Promise<Fees> {
  const [block, suggested] = await Promise.all([
    client.getBlock({ blockTag: 'latest' }),
    client.estimateMaxPriorityFeePerGas(),
  ])
  const base = block.baseFeePerGas ?? 0n
  if (base > cap) {
    throw new AssayError('The chain asks for a higher fee than this sender may pay.', {
      code: 'config',
      facts: { baseFeePerGas: base, cap },
      next: 'Wait until fees fall, or allow more (wei per gas).',
    })
  }
  const maxFeePerGas = smaller(2n * base + suggested, cap)
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(suggested, maxFeePerGas) }
}

/** Fees that replace a stuck transaction: nodes want at least an eighth more; undefined where the cap forbids it. */
export function raisedFees(old: Fees, current: Fees, cap: bigint): Fees | undefined {
  const maxFeePerGas = larger(old.maxFeePerGas + old.maxFeePerGas / 8n + 1n, current.maxFeePerGas)
  const maxPriorityFeePerGas = larger(
    old.maxPriorityFeePerGas + old.maxPriorityFeePerGas / 8n + 1n,
    current.maxPriorityFeePerGas,
  )
  if (maxFeePerGas > cap || maxPriorityFeePerGas > maxFeePerGas) return undefined
  return { maxFeePerGas, maxPriorityFeePerGas }
}
