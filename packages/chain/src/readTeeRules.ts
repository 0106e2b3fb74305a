import { type Network, teeRegistryAbi } from '@assay/protocol'
import type { Rules } from '@assay/verify'
import type { Hex, PublicClient } from 'viem'

/** Most that TeeRegistry answers at once. */
const MAX_NAMES = 128

/** What TeeRegistry said of these rules at a time. @param at Unix seconds */
export async function readTeeRules(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
  question: { hardwareType: Hex; names: readonly string[]; at: bigint; blockNumber?: bigint | undefined },
): Promise<Rules> {
  const { hardwareType, names, at, blockNumber } = question
  const rules = new Map<string, bigint>()
  for (let start = 0; start < names.length; start += MAX_NAMES) {
    const asked = names.slice(start, start + MAX_NAMES)
    const values = await client.readContract({
      address: network.contracts.TeeRegistry,
      abi: teeRegistryAbi,
      functionName: 'rulesAt',
      args: [hardwareType, asked, at],
      ...(blockNumber === undefined ? {} : { blockNumber }),
    })
    for (const [index, name] of asked.entries()) rules.set(name, values[index] as bigint)
  }
  return rules
}
