import { canaryRegistryAbi, type Network, settlementAbi } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'

/** The transactions about canaries that a validator sends, and their sower. */
export function canaryCalls({ contracts }: Pick<Network, 'contracts'>) {
  const registry = { address: contracts.CanaryRegistry, abi: canaryRegistryAbi } as const
  return {
    sow: (commitment: Hex) => ({ ...registry, functionName: 'sow', args: [commitment] }) as const,
    reveal: (batchId: Hex, salt: Hex, faultClass: number, proof: Hex) =>
      ({ ...registry, functionName: 'reveal', args: [batchId, salt, faultClass, proof] }) as const,
    withdrawSeed: () => ({ ...registry, functionName: 'withdrawSeed', args: [] }) as const,
    close: (batchId: Hex) => ({ ...registry, functionName: 'close', args: [batchId] }) as const,
    rewardVoice: (batchId: Hex, validator: Address) =>
      ({ ...registry, functionName: 'rewardVoice', args: [batchId, validator] }) as const,
    withdrawReward: () => ({ ...registry, functionName: 'withdraw', args: [] }) as const,
  }
}

export type CanaryCalls = ReturnType<typeof canaryCalls>

/** What the chain says about canaries. Every read may fail and be repeated; none has an effect. */
export function canaryChain(client: PublicClient, { contracts }: Pick<Network, 'contracts'>) {
  const registry = { address: contracts.CanaryRegistry, abi: canaryRegistryAbi } as const
  return {
    /** How a proof against the batch is taken now (`CANARY_STANCE`), and who proved it false while it was held. */
    async stance(batchId: Hex) {
      const [stance, flagger] = await client.readContract({
        ...registry,
        functionName: 'stanceOf',
        args: [batchId],
      })
      return { stance, flagger }
    },
    canary: (batchId: Hex) => client.readContract({ ...registry, functionName: 'canary', args: [batchId] }),
    /** Until when a batch may turn out to be a canary, Unix seconds. */
    revealBy: (batchId: Hex) =>
      client.readContract({ ...registry, functionName: 'revealBy', args: [batchId] }),
    /** What is left to be withdrawn, OPG base units. */
    reward: (account: Address) =>
      client.readContract({ ...registry, functionName: 'credit', args: [account] }),
    /** What a validator said of the batch (`VERDICT`), 0 where nothing was counted. */
    voice: (batchId: Hex, validator: Address) =>
      client.readContract({
        address: contracts.Settlement,
        abi: settlementAbi,
        functionName: 'voiceOf',
        args: [batchId, validator],
      }),
    /** The same in the safe block, which no reorg takes back. */
    async canarySafely(batchId: Hex, account: Address) {
      const at = { ...registry, blockTag: 'safe' } as const
      const [{ state, revealedAt }, reward] = await Promise.all([
        client.readContract({ ...at, functionName: 'canary', args: [batchId] }),
        client.readContract({ ...at, functionName: 'credit', args: [account] }),
      ])
      return { state, revealedAt, reward }
    },
    sownBy: (sower: Address) => client.readContract({ ...registry, functionName: 'seedOf', args: [sower] }),
  }
}
export type CanaryChain = ReturnType<typeof canaryChain>
