import {
  canaryFaultProof,
  canaryRegistryAbi,
  challengeIdOf,
  dataChallengeAbi,
  FAULT_CLASS,
  faultIdOf,
  faultManagerAbi,
  inferenceEscrowAbi,
  nodeBondAbi,
  proveReceiptAt,
  settlementAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Address, encodeFunctionData, type Hex, keccak256, parseEther, toHex } from 'viem'
import type { Honest } from './honest.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** A call of some other door than `prove`, which only the right caller may open, or nobody. */
export type Knock = { label: string; to: Address; data: Hex }

/** Something that takes money or rights from the honest if anybody may do it. */
export function knock(world: World, honest: Honest, random: Random): Knock {
  const { contracts } = world
  const { FaultManager, ValidatorStaking, NodeBond, Settlement, InferenceEscrow, DataChallenge } = contracts
  const validator = random.pick(honest.validators)
  const operator = random.pick(honest.operators)
  const batch = random.pick(honest.batches)
  const { batchId } = batch
  const faultId = random.chance(0.5) ? faultIdOf(1 + random.below(8), batchId) : keccak256(batchId)
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
  const canaries = { address: contracts.CanaryRegistry, abi: canaryRegistryAbi } as const
  const epoch = BigInt(random.below(2 ** 31))
  const shown = proveReceiptAt(
    batch,
    random.below(batch.groups.reduce((n, { top }) => n + Number(top.count), 0)),
  )
  // Encoded one by one, so that a signature that changes is seen here.
  const calls: Knock[] = [
    knocking(
      staking.address,
      'slash',
      encodeFunctionData({ ...staking, functionName: 'slash', args: [validator, epoch, fraction, faultId] }),
    ),
    knocking(
      staking.address,
      'jail',
      encodeFunctionData({ ...staking, functionName: 'jail', args: [validator] }),
    ),
    knocking(
      staking.address,
      'tombstone',
      encodeFunctionData({ ...staking, functionName: 'tombstone', args: [validator] }),
    ),
    knocking(
      staking.address,
      'freeze',
      encodeFunctionData({ ...staking, functionName: 'freeze', args: [[validator]] }),
    ),
    knocking(
      staking.address,
      'reserve',
      encodeFunctionData({ ...staking, functionName: 'reserve', args: [[validator], parseEther('1'), 1n] }),
    ),
    knocking(
      staking.address,
      'setFaultManager',
      encodeFunctionData({ ...staking, functionName: 'setFaultManager', args: [operator] }),
    ),
    knocking(
      bonds.address,
      'slash',
      encodeFunctionData({ ...bonds, functionName: 'slash', args: [operator, parseEther('1'), faultId] }),
    ),
    knocking(
      bonds.address,
      'slashFraction',
      encodeFunctionData({ ...bonds, functionName: 'slashFraction', args: [operator, fraction, faultId] }),
    ),
    knocking(
      bonds.address,
      'reserve',
      encodeFunctionData({
        ...bonds,
        functionName: 'reserve',
        args: [[{ operator, exposure: parseEther('1') }]],
      }),
    ),
    knocking(
      bonds.address,
      'setFaultManager',
      encodeFunctionData({ ...bonds, functionName: 'setFaultManager', args: [validator] }),
    ),
    knocking(
      settlement.address,
      'voidBatch',
      encodeFunctionData({ ...settlement, functionName: 'voidBatch', args: [batchId, faultId] }),
    ),
    knocking(
      settlement.address,
      'openChallenge',
      encodeFunctionData({ ...settlement, functionName: 'openChallenge', args: [batchId] }),
    ),
    knocking(
      settlement.address,
      'closeChallenge',
      encodeFunctionData({ ...settlement, functionName: 'closeChallenge', args: [batchId] }),
    ),
    knocking(
      settlement.address,
      'setFaultManager',
      encodeFunctionData({ ...settlement, functionName: 'setFaultManager', args: [validator] }),
    ),
    knocking(
      escrow.address,
      'refundProven',
      encodeFunctionData({ ...escrow, functionName: 'refundProven', args: [random.pick(honest.payments)] }),
    ),
    knocking(
      escrow.address,
      'refundTimeout',
      encodeFunctionData({
        ...escrow,
        functionName: 'refundTimeout',
        args: [[random.pick(honest.payments)]],
      }),
    ),
    knocking(
      escrow.address,
      'withdrawCredit',
      encodeFunctionData({ ...escrow, functionName: 'withdrawCredit', args: [] }),
    ),
    knocking(
      faults.address,
      'punish',
      encodeFunctionData({ ...faults, functionName: 'punish', args: [faultId, 0n, 64n] }),
    ),
    knocking(
      faults.address,
      'distribute',
      encodeFunctionData({ ...faults, functionName: 'distribute', args: [faultId] }),
    ),
    knocking(
      faults.address,
      'openChallenge',
      encodeFunctionData({ ...faults, functionName: 'openChallenge', args: [batchId, challengeId] }),
    ),
    knocking(
      faults.address,
      'closeChallenge',
      encodeFunctionData({ ...faults, functionName: 'closeChallenge', args: [batchId, challengeId] }),
    ),
    knocking(
      faults.address,
      'withdraw',
      encodeFunctionData({ ...faults, functionName: 'withdraw', args: [] }),
    ),
    knocking(
      data.address,
      'conclude',
      encodeFunctionData({ ...data, functionName: 'conclude', args: [challengeId] }),
    ),
    knocking(data.address, 'withdraw', encodeFunctionData({ ...data, functionName: 'withdraw', args: [] })),
    knocking(
      data.address,
      'show',
      encodeFunctionData({ ...data, functionName: 'show', args: [challengeId, index, toHex('nothing'), []] }),
    ),
    knocking(
      data.address,
      'showEnd',
      encodeFunctionData({
        ...data,
        functionName: 'showEnd',
        args: [challengeId, index, keccak256(batchId)],
      }),
    ),
    knocking(
      data.address,
      'showReceipt',
      encodeFunctionData({
        ...data,
        functionName: 'showReceipt',
        args: [challengeId, shown.entry, shown.signature, shown.path],
      }),
    ),
    knocking(
      faults.address,
      'prove a canary',
      encodeFunctionData({
        ...faults,
        functionName: 'prove',
        args: [FAULT_CLASS.canary, canaryFaultProof(batchId), faultId],
      }),
    ),
    knocking(
      canaries.address,
      'reveal',
      encodeFunctionData({
        ...canaries,
        functionName: 'reveal',
        args: [batchId, faultId, 1 + random.below(8), canaryFaultProof(batchId)],
      }),
    ),
    knocking(
      canaries.address,
      'flag',
      encodeFunctionData({ ...canaries, functionName: 'flag', args: [batchId, validator, 1n] }),
    ),
    knocking(
      canaries.address,
      'rewardVoice',
      encodeFunctionData({ ...canaries, functionName: 'rewardVoice', args: [batchId, validator] }),
    ),
    knocking(
      canaries.address,
      'close',
      encodeFunctionData({ ...canaries, functionName: 'close', args: [batchId] }),
    ),
    knocking(
      canaries.address,
      'withdraw',
      encodeFunctionData({ ...canaries, functionName: 'withdraw', args: [] }),
    ),
  ]
  return random.pick(calls)
}

function knocking(to: Address, name: string, data: Hex): Knock {
  return { label: `door, ${name}`, to, data }
}
