import { publicClientOf } from '@assay/chain'
import {
  FAULT_CLASS,
  faultManagerAbi,
  inferenceEscrowAbi,
  type Network,
  settlementAbi,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { until } from '../localNetwork.ts'

/** What the contracts did about one fault, as their events tell it. Amounts in OPG base units. */
export type Justice = {
  faultId: Hex
  faultClass: keyof typeof FAULT_CLASS
  batchId: Hex
  prover: Address
  provenIn: Hex
  operators: { operator: Address; taken: bigint }[]
  validators: { validator: Address; taken: bigint }[]
  /** Payers whose payment came back. */
  refunds: { requestId: Hex; payer: Address; amount: bigint }[]
  bounty: bigint
  burned: bigint
  insured: bigint
  distributedIn: Hex
  /** When the prover has taken its bounty out. */
  withdrawnIn: Hex
  /** From the commit of the batch to the bounty in its finder's hands, by the chain's clock. */
  seconds: bigint
}

/** A scene ends within a minute; a slow machine is given as much again. */
const DEADLINE_MILLISECONDS = 120_000

/** Waits until a fault of the batch is proven, punished, shared out and its bounty withdrawn. */
export async function justiceOn(network: Network, batchId: Hex): Promise<Justice> {
  const client = publicClientOf(network)
  const manager = {
    address: network.contracts.FaultManager,
    abi: faultManagerAbi,
    fromBlock: 0n,
    strict: true,
  } as const
  let found: Justice | undefined
  let last = 'no fault of it is proven'
  const look = async (): Promise<boolean> => {
    const [proven] = await client.getContractEvents({
      ...manager,
      eventName: 'FaultProven',
      args: { batchId },
    })
    if (proven === undefined) return false
    const { faultId, class: number } = proven.args
    const ofFault = { args: { faultId } } as const
    const [replaced, operators, validators, refunded, distributed] = await Promise.all([
      client.getContractEvents({ ...manager, ...ofFault, eventName: 'ProverReplaced' }),
      client.getContractEvents({ ...manager, ...ofFault, eventName: 'OperatorPunished' }),
      client.getContractEvents({ ...manager, ...ofFault, eventName: 'ValidatorPunished' }),
      client.getContractEvents({ ...manager, ...ofFault, eventName: 'PayerRefunded' }),
      client.getContractEvents({ ...manager, ...ofFault, eventName: 'ProceedsDistributed' }),
    ])
    const shared = distributed.at(-1)
    last = 'the proceeds are not shared out'
    if (shared === undefined) return false
    const prover = replaced.at(-1)?.args.prover ?? proven.args.prover
    const withdrawals = await client.getContractEvents({
      ...manager,
      eventName: 'CreditWithdrawn',
      args: { account: prover },
    })
    const withdrawn = withdrawals.find(({ blockNumber }) => blockNumber >= shared.blockNumber)
    last = 'the bounty is not withdrawn'
    if (withdrawn === undefined) return false
    const refunds = await Promise.all(
      refunded.map(async ({ args: { requestId, payer } }) => ({
        requestId,
        payer,
        amount: await refundOf(network, requestId),
      })),
    )
    const [{ timestamp }, { committedAt }] = await Promise.all([
      client.getBlock({ blockNumber: withdrawn.blockNumber }),
      client.readContract({
        address: network.contracts.Settlement,
        abi: settlementAbi,
        functionName: 'batch',
        args: [batchId],
      }),
    ])
    found = {
      faultId,
      faultClass: nameOfClass(number),
      batchId,
      prover,
      provenIn: proven.transactionHash,
      operators: operators.map(({ args: { operator, taken } }) => ({ operator, taken })),
      validators: validators.map(({ args: { validator, taken } }) => ({ validator, taken })),
      refunds,
      bounty: sum(distributed.map(({ args }) => args.bounty)),
      burned: sum(distributed.map(({ args }) => args.burned)),
      insured: sum(distributed.map(({ args }) => args.insured)),
      distributedIn: shared.transactionHash,
      withdrawnIn: withdrawn.transactionHash,
      seconds: timestamp - BigInt(committedAt),
    }
    return true
  }
  await until(look, DEADLINE_MILLISECONDS, () => `justice on batch ${batchId}: ${last}`)
  return found as Justice
}

async function refundOf(network: Network, requestId: Hex): Promise<bigint> {
  const [refund] = await publicClientOf(network).getContractEvents({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    eventName: 'PaymentRefunded',
    args: { requestId },
    fromBlock: 0n,
    strict: true,
  })
  return refund?.args.amount ?? 0n
}

function nameOfClass(number: number): keyof typeof FAULT_CLASS {
  const entry = Object.entries(FAULT_CLASS).find(([, value]) => value === number)
  if (entry === undefined) throw new Error(`there is no fault class ${number}`)
  return entry[0] as keyof typeof FAULT_CLASS
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
