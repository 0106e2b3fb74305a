import {
  faultManagerAbi,
  inferenceEscrowAbi,
  nodeBondAbi,
  opgAbi,
  revenueSplitterAbi,
  settlementAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import type { Honest } from './honest.ts'
import type { World } from './world.ts'

/** Everything that the honest hold or stand by, as text, by name: two ledgers are compared to the unit. */
export type Ledger = Record<string, string>

/** Reads it at one block. */
export async function ledgerOf(world: World, honest: Honest): Promise<Ledger> {
  const { client, contracts } = world
  const blockNumber = await client.getBlockNumber()
  const of = { blockNumber }
  const ledger: Ledger = {}
  const note = async (name: string, value: Promise<unknown>) => {
    ledger[name] = JSON.stringify(await value, (_, member: unknown) =>
      typeof member === 'bigint' ? member.toString() : member,
    )
  }
  const staking = { ...of, address: contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  const bonds = { ...of, address: contracts.NodeBond, abi: nodeBondAbi } as const
  const escrow = { ...of, address: contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const settlement = { ...of, address: contracts.Settlement, abi: settlementAbi } as const
  const faults = { ...of, address: contracts.FaultManager, abi: faultManagerAbi } as const
  const splitter = { ...of, address: contracts.RevenueSplitter, abi: revenueSplitterAbi } as const
  const token = { ...of, address: contracts.OPG, abi: opgAbi } as const
  await Promise.all([
    ...honest.accounts.flatMap((account) => {
      const args = [account] as const
      return [
        note(`OPG of ${account}`, client.readContract({ ...token, functionName: 'balanceOf', args })),
        note(`escrow credit of ${account}`, client.readContract({ ...escrow, functionName: 'credit', args })),
        note(`fault credit of ${account}`, client.readContract({ ...faults, functionName: 'credit', args })),
        note(`revenue of ${account}`, client.readContract({ ...splitter, functionName: 'balanceOf', args })),
        ...honest.validators.flatMap((validator) => {
          const held = [validator, account] as const
          return [
            note(
              `shares of ${account} in ${validator}`,
              client.readContract({ ...staking, functionName: 'sharesOf', args: held }),
            ),
            note(
              `exits of ${account} from ${validator}`,
              client.readContract({ ...staking, functionName: 'exitsOf', args: held }),
            ),
          ]
        }),
      ]
    }),
    ...honest.operators.flatMap((operator) => [
      note(
        `bond of ${operator}`,
        client.readContract({ ...bonds, functionName: 'slashableOf', args: [operator] }),
      ),
      note(
        `open exposure of ${operator}`,
        client.readContract({ ...bonds, functionName: 'openExposureOf', args: [operator] }),
      ),
    ]),
    ...honest.validators.map((validator) =>
      note(
        `stake of ${validator}`,
        client.readContract({ ...staking, functionName: 'stakeOf', args: [validator] }),
      ),
    ),
    ...honest.validators.map((validator) =>
      note(
        `duty of ${validator}`,
        client.readContract({ ...staking, functionName: 'isActive', args: [validator] }),
      ),
    ),
    ...honest.batches.map(({ batchId }) =>
      note(
        `batch ${batchId}`,
        client.readContract({ ...settlement, functionName: 'batch', args: [batchId] }),
      ),
    ),
    ...honest.payments.map((requestId) =>
      note(
        `payment ${requestId}`,
        client.readContract({ ...escrow, functionName: 'payment', args: [requestId] }),
      ),
    ),
  ])
  return ledger
}

/** What differs, in words; empty where nothing does. */
export function differences(before: Ledger, after: Ledger): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names]
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${before[name]} → ${after[name]}`)
}
