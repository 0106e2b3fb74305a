import { genesisAllocatorAbi, type Network, supplyViewAbi } from '@assay/protocol'
import { type Address, type PublicClient, zeroAddress } from 'viem'

/** One bucket of the public allocation. OPG base units and Unix seconds. */
export type BucketView = {
  name: string
  beneficiary: Address
  total: bigint
  atTge: bigint
  /** Of the linear part. */
  vested: bigint
  /** Vested and still in its wallet. */
  unreleased: bigint
  /** null where all was free at the TGE. */
  schedule: { wallet: Address; start: bigint; end: bigint } | null
}

/** How much OPG there is and where, OPG base units. Those from `unreleased` on are parts of `circulating`, shown apart. */
export type SupplyReport = {
  total: bigint
  unvested: bigint
  reserves: bigint
  circulating: bigint
  unreleased: bigint
  staked: bigint
  bonded: bigint
  escrowed: bigint
  /** Grants' deposits, and what calls under them have earned and nobody passed on yet. */
  prepaid: bigint
  buckets: BucketView[]
}

/** What SupplyView and the genesis allocation say, at one block. */
export async function readSupply(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
): Promise<SupplyReport> {
  const { number: blockNumber, timestamp } = await client.getBlock()
  const allocator = {
    address: network.contracts.GenesisAllocator,
    abi: genesisAllocatorAbi,
    blockNumber,
  } as const
  const supply = await client.readContract({
    address: network.contracts.SupplyView,
    abi: supplyViewAbi,
    functionName: 'supply',
    blockNumber,
  })
  const count = await client.readContract({ ...allocator, functionName: 'BUCKETS' })
  const buckets = await Promise.all(
    Array.from({ length: Number(count) }, async (_, at) => {
      const index = BigInt(at)
      const [bucket, vested, unreleased] = await Promise.all([
        client.readContract({ ...allocator, functionName: 'bucket', args: [index] }),
        client.readContract({ ...allocator, functionName: 'vestedAt', args: [index, timestamp] }),
        client.readContract({ ...allocator, functionName: 'unreleasedAt', args: [index, timestamp] }),
      ])
      const { name, beneficiary, total, atTge, start, duration, wallet } = bucket
      const schedule = wallet === zeroAddress ? null : { wallet, start, end: start + duration }
      return { name, beneficiary, total, atTge, vested, unreleased, schedule }
    }),
  )
  return { ...supply, buckets }
}
