import { CANARY_STATE, canaryRegistryAbi, type Network } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import { inRanges } from '../eventRanges.ts'

/** What became of a batch that was false on purpose, once its sower has shown it. Amounts in OPG base units. */
export type CanaryRecord = {
  sower: Address
  /** In which it was shown. */
  transactionHash: Hex
  /** `spoiled`: real money was in it, so it is a lie like any other; `closed`: the deposit is back. */
  state: 'revealed' | 'spoiled' | 'closed'
  deposit: bigint
  /** Who proved it false first; absent where nobody did. */
  flagger?: { account: Address; reward: bigint }
  /** For the validators that called it invalid, and what each has had of it so far. */
  voices: { reward: bigint; taken: readonly { validator: Address; amount: bigint }[] }
  /** Whether nobody noticed, so that the reward is nobody's. */
  burned: boolean
}

/** @param batch with the block of its commit. @returns null where the batch was shown to be no canary (yet) */
export async function readCanary(
  client: PublicClient,
  { contracts }: Pick<Network, 'contracts'>,
  { batchId, committedBlock }: { batchId: Hex; committedBlock: bigint },
): Promise<CanaryRecord | null> {
  const registry = { address: contracts.CanaryRegistry, abi: canaryRegistryAbi } as const
  const { state, sower, deposit, flagger } = await client.readContract({
    ...registry,
    functionName: 'canary',
    args: [batchId],
  })
  const name = STATES[state]
  if (name === undefined) return null
  const asked = { ...registry, args: { batchId }, strict: true } as const
  const [[revealed], rewarded] = await Promise.all([
    inRanges(client, committedBlock, (range) =>
      client.getContractEvents({ ...asked, ...range, eventName: 'CanaryRevealed' }),
    ),
    inRanges(client, committedBlock, (range) =>
      client.getContractEvents({ ...asked, ...range, eventName: 'VoiceRewarded' }),
    ),
  ])
  if (revealed === undefined) throw new Error(`The chain does not show the reveal of canary ${batchId}.`)
  const { flaggerReward, voicesReward } = revealed.args
  return {
    sower,
    transactionHash: revealed.transactionHash,
    state: name,
    deposit,
    ...(flaggerReward === 0n ? {} : { flagger: { account: flagger, reward: flaggerReward } }),
    voices: {
      reward: voicesReward,
      taken: rewarded.map(({ args: { validator, amount } }) => ({ validator, amount })),
    },
    burned: flaggerReward + voicesReward === 0n,
  }
}

const STATES: Record<number, CanaryRecord['state']> = {
  [CANARY_STATE.revealed]: 'revealed',
  [CANARY_STATE.spoiled]: 'spoiled',
  [CANARY_STATE.closed]: 'closed',
}
