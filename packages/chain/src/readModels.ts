import { modelRegistryAbi, type Network } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'

/** A model as the registry holds it. */
export type PublishedModel = {
  modelId: Hex
  publisher: Address
  /** Where its publisher put the manifest; `manifestOfUri` reads the one that stands in the URI itself. */
  manifestUri: string
  withdrawn: boolean
}

/**
 * The models that anybody published, newest first, as of one block.
 * @param most how many of them are read; `total` says how many there are
 */
export async function readModels(
  client: PublicClient,
  { contracts }: Pick<Network, 'contracts'>,
  most: number,
): Promise<{ total: number; models: PublishedModel[] }> {
  const blockNumber = await client.getBlockNumber()
  const registry = { address: contracts.ModelRegistry, abi: modelRegistryAbi, blockNumber } as const
  const total = Number(await client.readContract({ ...registry, functionName: 'modelCount' }))
  const indices = Array.from({ length: Math.min(most, total) }, (_, at) => BigInt(total - 1 - at))
  const models = indices.map(async (index): Promise<PublishedModel> => {
    const modelId = await client.readContract({ ...registry, functionName: 'modelAt', args: [index] })
    const [publisher, , withdrawnAt, , manifestUri] = await client.readContract({
      ...registry,
      functionName: 'model',
      args: [modelId],
    })
    return { modelId, publisher, manifestUri, withdrawn: withdrawnAt !== 0n }
  })
  return { total, models: await Promise.all(models) }
}
