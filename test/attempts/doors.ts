import {
  dataChallengeAbi,
  faultIdOf,
  faultManagerAbi,
  inferenceEscrowAbi,
  nodeBondAbi,
  proveReceiptAt,
  settlementAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Abi, type Address, encodeFunctionData, type Hex, keccak256, parseEther, toHex } from 'viem'
import { challengeIdOf } from './guilty.ts'
import type { Honest } from './honest.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** A call of some other door than `prove`, which only the right caller may open, or nobody. */
export type Knock = { label: string; to: Address; data: Hex }

type ContractCall = { address: Address; abi: Abi; functionName: string; args: readonly unknown[] }

/** Something that takes money or rights from the honest if anybody may do it. */
export function knock(world: World, honest: Honest, random: Random): Knock {
  const { FaultManager, ValidatorStaking, NodeBond, Settlement, InferenceEscrow, DataChallenge } =
    world.contracts
  const validator = random.pick(honest.validators)
  const operator = random.pick(honest.operators)
  const batch = random.pick(honest.batches)
  const { batchId } = batch
  const faultId = random.chance(0.5) ? faultIdOf(1 + random.below(7), batchId) : keccak256(batchId)
  const part = random.below(2)
  const index = BigInt(random.below(20))
  const challengeId = challengeIdOf(batchId, part, index)
  const fraction = 10n ** BigInt(random.below(19))
  const staking = { address: ValidatorStaking, abi: validatorStakingAbi } as const
  const bonds = { address: NodeBond, abi: nodeBondAbi } as const
  const settlement = { address: Settlement, abi: settlementAbi } as const
  const escrow = { address: InferenceEscrow, abi: inferenceEscrowAbi } as const
  const faults = { address: FaultManager, abi: faultManagerAbi } as const
  const data = { address: DataChallenge, abi: dataChallengeAbi } as const
  const epoch = BigInt(random.below(2 ** 31))
  const shown = proveReceiptAt(
    batch,
    random.below(batch.groups.reduce((n, { top }) => n + Number(top.count), 0)),
  )
  const calls: ContractCall[] = [
    { ...staking, functionName: 'slash', args: [validator, epoch, fraction, faultId] },
    { ...staking, functionName: 'jail', args: [validator] },
    { ...staking, functionName: 'tombstone', args: [validator] },
    { ...staking, functionName: 'freeze', args: [validator] },
    { ...staking, functionName: 'reserve', args: [[validator], parseEther('1')] },
    { ...staking, functionName: 'setFaultManager', args: [operator] },
    { ...bonds, functionName: 'slash', args: [operator, parseEther('1'), faultId] },
    { ...bonds, functionName: 'slashFraction', args: [operator, fraction, faultId] },
    { ...bonds, functionName: 'reserve', args: [operator, parseEther('1')] },
    { ...bonds, functionName: 'setFaultManager', args: [validator] },
    { ...settlement, functionName: 'voidBatch', args: [batchId, faultId] },
    { ...settlement, functionName: 'openChallenge', args: [batchId] },
    { ...settlement, functionName: 'closeChallenge', args: [batchId] },
    { ...settlement, functionName: 'setFaultManager', args: [validator] },
    { ...escrow, functionName: 'refundProven', args: [random.pick(honest.payments)] },
    { ...escrow, functionName: 'refundTimeout', args: [[random.pick(honest.payments)]] },
    { ...escrow, functionName: 'withdrawCredit', args: [] },
    { ...faults, functionName: 'punish', args: [faultId, 0n, 64n] },
    { ...faults, functionName: 'distribute', args: [faultId] },
    { ...faults, functionName: 'openChallenge', args: [batchId, challengeId] },
    { ...faults, functionName: 'closeChallenge', args: [batchId, challengeId] },
    { ...faults, functionName: 'withdraw', args: [] },
    { ...data, functionName: 'conclude', args: [challengeId] },
    { ...data, functionName: 'withdraw', args: [] },
    { ...data, functionName: 'show', args: [challengeId, index, toHex('nothing'), []] },
    { ...data, functionName: 'showEnd', args: [challengeId, index, keccak256(batchId)] },
    { ...data, functionName: 'showReceipt', args: [challengeId, shown.entry, shown.signature, shown.path] },
  ]
  const { address, abi, functionName, args } = random.pick(calls)
  return {
    label: `door, ${functionName}`,
    to: address,
    data: encodeFunctionData({ abi, functionName, args }),
  }
}
