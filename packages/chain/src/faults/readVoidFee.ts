import { faultManagerAbi, type Network, settlementAbi } from '@assay/protocol'
import type { Hex, PublicClient } from 'viem'
import { inRanges } from '../eventRanges.ts'

/** What a vote that a batch is void took from its committer. Amounts in OPG base units. */
export type VoidFee = {
  charged: bigint
  /** What a node that was proven guilty owes it of that, and by which fault; absent where none was. */
  owed?: { faultId: Hex; amount: bigint }
}

/** @param batch with the block of its commit */
export async function readVoidFee(
  client: PublicClient,
  { contracts }: Pick<Network, 'contracts'>,
  { batchId, committedBlock }: { batchId: Hex; committedBlock: bigint },
): Promise<VoidFee> {
  const charged = await client.readContract({
    address: contracts.Settlement,
    abi: settlementAbi,
    functionName: 'voidFeeOf',
    args: [batchId],
  })
  if (charged === 0n) return { charged }
  const [claim] = await inRanges(client, committedBlock, (range) =>
    client.getContractEvents({
      address: contracts.FaultManager,
      abi: faultManagerAbi,
      ...range,
      eventName: 'ClaimNoted',
      // A fee is claimed under the name of its batch.
      args: { requestId: batchId },
      strict: true,
    }),
  )
  if (claim === undefined) return { charged }
  return { charged, owed: { faultId: claim.args.faultId, amount: claim.args.owed } }
}
