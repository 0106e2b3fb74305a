import { faultManagerAbi, inferenceEscrowAbi, type Network } from '@assay/protocol'
import type { Address, GetContractEventsReturnType, Hex, PublicClient } from 'viem'
import { inRanges, oldestAskedBlock } from '../eventRanges.ts'

/** A proven fault and what became of everybody. Amounts in OPG base units, times in Unix seconds. */
export type FaultRecord = {
  faultId: Hex
  /** One of `FAULT_CLASS`. */
  faultClass: number
  /** Zero for a node's two signatures that no batch holds. */
  batchId: Hex
  /** Who earns the bounty. */
  prover: Address
  provenAt: bigint
  blockNumber: bigint
  transactionHash: Hex
  /** Request whose receipt showed the fault; zero where none did. */
  requestId: Hex
  /** Committer or node, by its bond. */
  operators: readonly { operator: Address; taken: bigint }[]
  /** By their stake; `fraction` of 10^18. */
  validators: readonly { validator: Address; fraction: bigint; taken: bigint }[]
  /** Payments that were locked and went back. */
  refunds: readonly { requestId: Hex; payer: Address; amount: bigint }[]
  /**
   * Who is owed what of the proceeds, and got: payers of what was paid out; and where `requestId` is the id of a batch, its
   * committer, for the fee that a vote took from it.
   */
  claims: readonly { requestId: Hex; payer: Address; owed: bigint }[]
  compensated: readonly { payer: Address; amount: bigint }[]
  /** What was slashed, and how it was shared out so far. */
  proceeds: { taken: bigint; compensation: bigint; bounty: bigint; insured: bigint; burned: bigint }
  /** From then on it may be shared out. */
  closesAt: bigint
}

type Where = Pick<Network, 'contracts'>

/**
 * Proven faults, oldest first, each with all that followed from it.
 * @param of those of one batch, from the block of its commit on; all where absent, as far back as providers let one look
 * @returns `since` is the first block that was looked at
 */
export async function readFaults(
  client: PublicClient,
  network: Where,
  of?: { batchId: Hex; fromBlock: bigint },
): Promise<{ since: bigint; faults: readonly FaultRecord[] }> {
  const faults = { address: network.contracts.FaultManager, abi: faultManagerAbi } as const
  const since = of?.fromBlock ?? (await oldestAskedBlock(client))
  const events = await inRanges(client, since, (range) =>
    client.getContractEvents({ ...faults, ...range, strict: true }),
  )
  const records = events.map(async (event): Promise<FaultRecord[]> => {
    if (event.eventName !== 'FaultProven') return []
    const { args, blockNumber, transactionHash } = event
    const { faultId, batchId } = args
    if (of !== undefined && batchId !== of.batchId) return []
    const own = events.filter((other) => 'faultId' in other.args && other.args.faultId === faultId)
    const [fault, { prover, taken, closesAt }, refunds] = await Promise.all([
      client.readContract({ ...faults, functionName: 'fault', args: [faultId] }),
      client.readContract({ ...faults, functionName: 'proceedsOf', args: [faultId] }),
      readRefunds(client, network, own),
    ])
    const { proceeds, ...aftermath } = aftermathOf(own)
    return [
      {
        faultId,
        faultClass: args.class,
        batchId,
        prover,
        provenAt: fault.provenAt,
        blockNumber,
        transactionHash,
        requestId: args.finding.requestId,
        ...aftermath,
        refunds,
        proceeds: { taken, ...proceeds },
        closesAt,
      },
    ]
  })
  return { since, faults: (await Promise.all(records)).flat() }
}

type FaultEvent = GetContractEventsReturnType<typeof faultManagerAbi, undefined, true>[number]

function aftermathOf(events: readonly FaultEvent[]) {
  const operators: { operator: Address; taken: bigint }[] = []
  const validators: { validator: Address; fraction: bigint; taken: bigint }[] = []
  const claims: { requestId: Hex; payer: Address; owed: bigint }[] = []
  const compensated: { payer: Address; amount: bigint }[] = []
  const proceeds = { compensation: 0n, bounty: 0n, insured: 0n, burned: 0n }
  for (const { eventName, args } of events) {
    if (eventName === 'OperatorPunished') operators.push({ operator: args.operator, taken: args.taken })
    if (eventName === 'ValidatorPunished') {
      const { validator, fraction, taken } = args
      validators.push({ validator, fraction, taken })
    }
    if (eventName === 'ClaimNoted') {
      claims.push({ requestId: args.requestId, payer: args.payer, owed: args.owed })
    }
    if (eventName === 'Compensated') compensated.push({ payer: args.payer, amount: args.amount })
    if (eventName === 'ProceedsDistributed') {
      proceeds.compensation += args.compensation
      proceeds.bounty += args.bounty
      proceeds.insured += args.insured
      proceeds.burned += args.burned
    }
  }
  return { operators, validators, claims, compensated, proceeds }
}

/** The event does not say how much; the payment does. */
async function readRefunds(client: PublicClient, { contracts }: Where, events: readonly FaultEvent[]) {
  const refunds = events.map(async ({ eventName, args }) => {
    if (eventName !== 'PayerRefunded') return []
    const { requestId, payer } = args
    const [, , amount] = await client.readContract({
      address: contracts.InferenceEscrow,
      abi: inferenceEscrowAbi,
      functionName: 'payment',
      args: [requestId],
    })
    return [{ requestId, payer, amount }]
  })
  return (await Promise.all(refunds)).flat()
}
