import { blockRanges, readCommittedBatch, readForcedBatch, readTeeRules } from '@assay/chain'
import {
  type BatchEntry,
  type GroupHeader,
  inferenceEscrowAbi,
  type KeyRegistration,
  type Network,
  paramStoreAbi,
  RECORD_KIND,
  revenueSplitterAbi,
  settlementAbi,
  teeRegistryAbi,
} from '@assay/protocol'
import type { BatchView, Interval, MeasurementView, Rules } from '@assay/verify'
import { type Address, BlockNotFoundError, type Hex, type PublicClient, stringToHex, zeroHash } from 'viem'
import { wouldSucceed } from './wouldSucceed.ts'

export type BlockId = { number: bigint; hash: Hex; timestamp: bigint }

/** A key proposal as its event says it. */
export type KeyProposal = {
  registrationId: Hex
  registration: KeyRegistration
  evidenceUri: string
  block: bigint
}

/** A batch on chain; `forced` is the one receipt of a batch that has no file, because anybody put it in after its time. */
export type WatchedBatch = BatchView & { forced?: BatchEntry | undefined }

/** What happened on chain in a range of blocks that concerns a validator. */
export type ChainEvents = {
  /** `committer` is who has to answer for the data; of a forced receipt, the node that signed it. */
  batches: { batchId: Hex; committer: Address; block: bigint }[]
  proposals: KeyProposal[]
  /** Statements that were delivered and not counted. */
  uncounted: { batchId: Hex; validator: Address; block: bigint }[]
}

/**
 * Gas limits are fixed, not estimated: whichever statement completes the quorum does the work of admitting a key or
 * ending a batch, and an estimate made before the others' transactions does not know that it will be the one.
 */
const STATEMENT_GAS = 800_000n
/** Ending a batch frees up to 80 voters (Settlement.LEAST_SHARE) and 32 nodes: docs/gas.md says what 64 and one take. */
const TRANSITION_GAS = 2_500_000n
/** Counting one voice. */
const VOICE_GAS = 30_000n
/** The first reward of an epoch opens what later ones only add to. */
const REWARD_GAS = 500_000n

/** The transactions a validator may send. */
export function validatorCalls({ contracts }: Pick<Network, 'contracts'>) {
  const settlement = { address: contracts.Settlement, abi: settlementAbi } as const
  const registry = { address: contracts.TeeRegistry, abi: teeRegistryAbi } as const
  return {
    /** @param signatures of the same statement, their signers ascending */
    attest: (batch: BatchView, verdict: number, signatures: readonly Hex[]) =>
      ({
        ...settlement,
        functionName: 'attest',
        args: [batch.batchId, batch.committedBlock, true, verdict, signatures],
        gas: TRANSITION_GAS + VOICE_GAS * BigInt(signatures.length),
      }) as const,
    finalise: (batchId: Hex) =>
      ({ ...settlement, functionName: 'finalise', args: [batchId], gas: TRANSITION_GAS }) as const,
    expire: (batchId: Hex) =>
      ({ ...settlement, functionName: 'expire', args: [batchId], gas: TRANSITION_GAS }) as const,
    payValidators: () =>
      ({
        address: contracts.RevenueSplitter,
        abi: revenueSplitterAbi,
        functionName: 'payValidators',
        args: [],
        gas: REWARD_GAS,
      }) as const,
    voteKey: (registrationId: Hex, valid: boolean, signature: Hex) =>
      ({
        ...registry,
        functionName: 'voteKey',
        args: [registrationId, valid, signature],
        gas: STATEMENT_GAS,
      }) as const,
  }
}

export type ValidatorCalls = ReturnType<typeof validatorCalls>
export type ValidatorCall = ReturnType<ValidatorCalls[keyof ValidatorCalls]>

/** A validator's reads of the chain. Every one may fail and be repeated; none has an effect. */
export function validatorChain(client: PublicClient, network: Network) {
  const { Settlement, TeeRegistry, InferenceEscrow } = network.contracts
  const settlement = { address: Settlement, abi: settlementAbi } as const
  const registry = { address: TeeRegistry, abi: teeRegistryAbi } as const

  return {
    /** The newest block that the chain calls safe: what is signed about must not move any more. */
    async safeBlock(): Promise<BlockId> {
      const { number, hash, timestamp } = await client.getBlock({ blockTag: 'safe' })
      return { number, hash, timestamp }
    },
    async latestBlock(): Promise<BlockId> {
      const { number, hash, timestamp } = await client.getBlock({ blockTag: 'latest' })
      return { number, hash, timestamp }
    },
    async block(number: bigint): Promise<BlockId> {
      const found = await client.getBlock({ blockNumber: number })
      return { number, hash: found.hash, timestamp: found.timestamp }
    },
    /** A block that somebody names, at most `newest`; null where the chain has none. */
    async anchor(number: bigint, newest: bigint): Promise<BlockId | null> {
      if (number > newest) return null
      try {
        const { hash, timestamp } = await client.getBlock({ blockNumber: number })
        return { number, hash, timestamp }
      } catch (error) {
        if (error instanceof BlockNotFoundError) return null
        throw error
      }
    },
    deploymentId: (): Promise<Hex> => client.readContract({ ...settlement, functionName: 'deploymentId' }),

    /** Events of blocks `from` to `to`, both inclusive. */
    async events(from: bigint, to: bigint): Promise<ChainEvents> {
      const events: ChainEvents = { batches: [], proposals: [], uncounted: [] }
      for (const blocks of blockRanges(from, to)) {
        const range = { ...blocks, strict: true } as const
        const [committed, forced, uncovered, proposed] = await Promise.all([
          client.getContractEvents({ ...settlement, ...range, eventName: 'BatchCommitted' }),
          client.getContractEvents({ ...settlement, ...range, eventName: 'ReceiptForced' }),
          client.getContractEvents({ ...settlement, ...range, eventName: 'AttestationUncovered' }),
          client.getContractEvents({ ...registry, ...range, eventName: 'KeyProposed' }),
        ])
        for (const { args, blockNumber } of committed) {
          events.batches.push({ batchId: args.batchId, committer: args.committer, block: blockNumber })
        }
        for (const { args, blockNumber } of forced) {
          events.batches.push({
            batchId: args.batchId,
            committer: args.entry.receipt.node,
            block: blockNumber,
          })
        }
        for (const { args, blockNumber } of uncovered) {
          events.uncounted.push({ ...args, block: blockNumber })
        }
        for (const { args, blockNumber } of proposed) {
          const { registrationId, evidenceURI, ...registration } = args
          events.proposals.push({
            registrationId,
            registration,
            evidenceUri: evidenceURI,
            block: blockNumber,
          })
        }
      }
      return events
    },

    /** @throws Error where the chain knows no such batch, which its own event has named: the two reads came from two views. */
    async batch(batchId: Hex): Promise<WatchedBatch> {
      const batch = await readCommittedBatch(client, network, batchId)
      if (batch !== null) return batch
      const forced = await readForcedBatch(client, network, batchId)
      if (forced === null) throw new Error(`The chain knows no batch ${batchId}.`)
      const { record, entry } = forced
      return { ...record, dataHash: zeroHash, sum: entry.receipt.price, forced: entry }
    },
    /** The groups that the committer put on chain. @throws Error where the event of the commit cannot be had */
    async committedGroups({ batchId, committedBlock }: BatchView): Promise<readonly GroupHeader[]> {
      const [commit] = await client.getContractEvents({
        ...settlement,
        eventName: 'BatchCommitted',
        args: { batchId },
        fromBlock: committedBlock,
        toBlock: committedBlock,
        strict: true,
      })
      if (commit === undefined) throw new Error(`The chain does not show the commit of batch ${batchId}.`)
      return commit.args.groups
    },
    /** Inputs of the transactions that delivered a statement of the validator on the batch, counted or not, oldest first. */
    async attestCalls({ batchId, committedBlock }: BatchView, validator: Address): Promise<Hex[]> {
      const transactions = new Set<Hex>()
      for (const range of blockRanges(committedBlock, await client.getBlockNumber({ cacheTime: 0 }))) {
        const about = { ...settlement, ...range, args: { batchId, validator }, strict: true } as const
        const [counted, uncovered] = await Promise.all([
          client.getContractEvents({ ...about, eventName: 'BatchAttested' }),
          client.getContractEvents({ ...about, eventName: 'AttestationUncovered' }),
        ])
        for (const { transactionHash } of [...uncovered, ...counted]) transactions.add(transactionHash)
      }
      const found = await Promise.all([...transactions].map((hash) => client.getTransaction({ hash })))
      return found.map(({ input }) => input)
    },
    /** How long a batch may wait for a quorum, and be challenged once it has one, seconds. */
    async windows(): Promise<{ attestTimeout: bigint; challengeWindow: bigint }> {
      const parameter = (name: string) =>
        client.readContract({
          address: network.contracts.ParamStore,
          abi: paramStoreAbi,
          functionName: 'get',
          args: [stringToHex(name, { size: 32 })],
        })
      const [attestTimeout, challengeWindow] = await Promise.all([
        parameter('ATTEST_TIMEOUT'),
        parameter('CHALLENGE_WINDOW'),
      ])
      return { attestTimeout, challengeWindow }
    },
    /** Validators' part of answers that staking has not been handed yet, OPG base units. */
    rewardsPending: (): Promise<bigint> =>
      client.readContract({
        address: network.contracts.RevenueSplitter,
        abi: revenueSplitterAbi,
        functionName: 'validatorsPending',
      }),
    hasAttested: (batchId: Hex, validator: Address): Promise<boolean> =>
      client.readContract({ ...settlement, functionName: 'hasAttested', args: [batchId, validator] }),
    tillUrl: (gateway: Address): Promise<string> =>
      client.readContract({
        address: InferenceEscrow,
        abi: inferenceEscrowAbi,
        functionName: 'tillUrl',
        args: [gateway],
      }),

    /** When the key was last attested, Unix seconds; 0 where it has not been. */
    async attestedAt(key: Address): Promise<bigint> {
      const [attestedAt] = await client.readContract({ ...registry, functionName: 'term', args: [key] })
      return attestedAt
    },
    /** What governance says of the rules named, as of a time in Unix seconds. */
    rules: (hardwareType: Hex, names: readonly string[], at: bigint): Promise<Rules> =>
      readTeeRules(client, network, { hardwareType, names, at }),
    /** What governance says about the hardware, root and measurement that a proposal claims. */
    async approvals(
      claim: KeyRegistration,
    ): Promise<{ hardware: Interval; root: Interval; measurement: MeasurementView }> {
      const { hardwareType, rootHash, measurement } = claim
      const suspension = async (kind: keyof typeof RECORD_KIND, id: Hex) => {
        const args = [RECORD_KIND[kind], hardwareType, id] as const
        const [from, until] = await client.readContract({ ...registry, functionName: 'suspension', args })
        return { from, until }
      }
      const [hardware, root, code, ...stops] = await Promise.all([
        client.readContract({ ...registry, functionName: 'hardware', args: [hardwareType] }),
        client.readContract({ ...registry, functionName: 'root', args: [hardwareType, rootHash] }),
        client.readContract({ ...registry, functionName: 'measurement', args: [hardwareType, measurement] }),
        suspension('hardware', zeroHash),
        suspension('root', rootHash),
        suspension('measurement', measurement),
      ])
      return {
        hardware: { validFrom: hardware[0], revokedAt: hardware[1], suspension: stops[0] },
        root: { validFrom: root[0], revokedAt: root[1], suspension: stops[1] },
        measurement: {
          validFrom: code[0],
          revokedAt: code[1],
          engineClasses: code[2],
          suspension: stops[2],
        },
      }
    },

    wouldSucceed: (call: ValidatorCall, from: Address): Promise<boolean> => wouldSucceed(client, call, from),
  }
}

export type ValidatorChain = ReturnType<typeof validatorChain>
