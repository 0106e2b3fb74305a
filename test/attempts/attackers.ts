import { developmentAccount, type Sender } from '@assay/chain'
import { AssayError, faultCommitment, faultManagerAbi } from '@assay/protocol'
import { type Address, encodeFunctionData, type Hex, parseEther, toHex } from 'viem'
import { FIRST_PLAYER, outfit } from '../faults/operators.ts'
import type { Call } from './calls.ts'
import type { Accusation } from './proofs.ts'
import type { World } from './world.ts'

const ATTACKERS = [FIRST_PLAYER + 20, FIRST_PLAYER + 21, FIRST_PLAYER + 22]
/** More than any proof takes: docs/spec.md §11 bounds them by 2M. */
export const ENOUGH_GAS = 3_000_000n
const SALT = toHex('a salt', { size: 32 })
const MULTICALL = 40

export type Attacker = {
  address: Address
  sender: Sender
  /** What it has announced; what a judge refuses stays announced. */
  announced: Set<Hex>
}

/** People with money who bear false witness. */
export function createAttackers(world: World): Promise<Attacker[]> {
  const { DataChallenge } = world.contracts
  return Promise.all(
    ATTACKERS.map(async (index) => {
      const sender = await outfit(world, index, parseEther('10000'), [DataChallenge])
      return { address: developmentAccount(index).address, sender, announced: new Set<Hex>() }
    }),
  )
}

export function proveCall(world: World, from: Address, accusation: Accusation, gas = ENOUGH_GAS): Call {
  const { faultClass, proof } = accusation
  const args = [faultClass, proof, SALT] as const
  const data = encodeFunctionData({ abi: faultManagerAbi, functionName: 'prove', args })
  return { from, to: world.contracts.FaultManager, data, gas }
}

export function claimCall(world: World, from: Address, { faultClass, proof }: Accusation): Call {
  const data = encodeFunctionData({ abi: faultManagerAbi, functionName: 'claim', args: [faultClass, proof] })
  return { from, to: world.contracts.FaultManager, data, gas: ENOUGH_GAS }
}

/** What the manager says only after the judge of the class has found that the proof holds. */
const FOUND = new Set(['NotAnnounced', 'AnnouncedJustNow', 'AlreadyProven', 'UnknownFault', 'NothingToClaim'])

/** Whether a simulated `prove` or `claim` got past the judge. */
export function convicts(refused: string | undefined): boolean {
  return refused === undefined || FOUND.has(refused)
}

/** Announces proofs, many in a transaction, so that they may be shown from the next block on. */
export async function announceAll(
  world: World,
  { address, sender, announced }: Attacker,
  accusations: readonly Accusation[],
): Promise<void> {
  const manager = { address: world.contracts.FaultManager, abi: faultManagerAbi } as const
  const calls: Hex[] = []
  for (const { faultClass, proof } of accusations) {
    const commitment = faultCommitment(address, faultClass, proof, SALT)
    if (announced.has(commitment)) continue
    announced.add(commitment)
    calls.push(encodeFunctionData({ abi: faultManagerAbi, functionName: 'announce', args: [commitment] }))
  }
  for (let start = 0; start < calls.length; start += MULTICALL) {
    await sender.send({
      ...manager,
      functionName: 'multicall',
      args: [calls.slice(start, start + MULTICALL)],
    })
  }
}

/** Shows an announced proof in a transaction that is mined whatever comes of it. @returns the refusal, or undefined */
export async function proveForReal(
  world: World,
  by: Sender,
  { faultClass, proof }: Accusation,
): Promise<string | undefined> {
  const manager = { address: world.contracts.FaultManager, abi: faultManagerAbi } as const
  try {
    await by.send({ ...manager, functionName: 'prove', args: [faultClass, proof, SALT], gas: ENOUGH_GAS })
    return undefined
  } catch (error) {
    if (error instanceof AssayError && error.code === 'conflict') return String(error.facts.error)
    throw error
  }
}
