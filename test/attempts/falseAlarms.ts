import {
  AssayError,
  challengeIdOf,
  chunkTree,
  DATA_CHUNK_BYTES,
  DATA_PART,
  dataChallengeAbi,
  dataFaultProof,
  FAULT_CLASS,
  proveReceiptAt,
} from '@assay/protocol'
import { type Address, encodeFunctionData, type Hex, toHex } from 'viem'
import { type Attacker, ENOUGH_GAS, proveCall } from './attackers.ts'
import { type Call, simulate } from './calls.ts'
import type { Honest } from './honest.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

export type Alarms = {
  /** One demand, its answer, and what the challenger tries before and after; each with the refusal it met. */
  raise(by: Attacker): Promise<{ label: string; refused: string | undefined }[]>
}

/** Demands of parts of an honest batch that is not final, each part once, until there are none left. */
export function createAlarms(world: World, honest: Honest, random: Random): Alarms {
  const { demandable: batch, committer } = honest
  const challenge = { address: world.contracts.DataChallenge, abi: dataChallengeAbi } as const
  const chunks = Math.ceil(batch.file.length / DATA_CHUNK_BYTES)
  const parts = [
    ...Array.from({ length: chunks }, (_, index) => ({ part: DATA_PART.chunk as number, index })),
    ...Array.from({ length: Number(batch.header.count) }, (_, index) => ({
      part: DATA_PART.receipt as number,
      index,
    })),
  ]

  function callOf(from: Address, functionName: 'conclude' | 'show', args: readonly unknown[]): Call {
    return {
      from,
      to: challenge.address,
      data: encodeFunctionData({ ...challenge, functionName, args } as never),
      gas: ENOUGH_GAS,
    }
  }

  function attemptsAt(by: Attacker, id: Hex): { label: string; call: Call }[] {
    const proof = dataFaultProof(id)
    const accusation = { label: 'data', faultClass: FAULT_CLASS.data, proof }
    return [
      { label: 'a demand concluded', call: callOf(by.address, 'conclude', [id]) },
      { label: 'a demand proven', call: proveCall(world, by.address, accusation) },
      { label: 'a demand answered falsely', call: callOf(by.address, 'show', [id, 5n, toHex('false'), []]) },
    ]
  }

  async function answer(id: Hex, part: number, index: number): Promise<void> {
    if (part === DATA_PART.receipt) {
      const { entry, signature, path } = proveReceiptAt(batch, index)
      await committer.send({ ...challenge, functionName: 'showReceipt', args: [id, entry, signature, path] })
    } else {
      const { chunk, siblings } = chunkTree(batch.file).prove(index)
      const args = [id, BigInt(batch.file.length), toHex(chunk), siblings] as const
      await committer.send({ ...challenge, functionName: 'show', args })
    }
  }

  return {
    async raise(by) {
      const [chosen] = parts.splice(random.below(parts.length), 1)
      if (chosen === undefined) return []
      const { part, index } = chosen
      const id = challengeIdOf(batch.batchId, part, BigInt(index))
      await by.sender.send({
        ...challenge,
        functionName: 'demand',
        args: [batch.batchId, part, BigInt(index)],
      })
      const tries = attemptsAt(by, id)
      const early = await simulate(
        world.rpcUrl,
        tries.map(({ call }) => call),
      )
      await answer(id, part, index)
      const late = await simulate(
        world.rpcUrl,
        tries.map(({ call }) => call),
      )
      const mined = await concluded(by, id)
      const heard = [...early, ...late].map(({ refused }, at) => ({
        label: tries[at % tries.length]?.label ?? '',
        refused,
      }))
      return [...heard, { label: 'an answered demand concluded, mined', refused: mined }]
    },
  }

  async function concluded(by: Attacker, id: Hex): Promise<string | undefined> {
    try {
      await by.sender.send({ ...challenge, functionName: 'conclude', args: [id], gas: ENOUGH_GAS })
      return undefined
    } catch (error) {
      if (error instanceof AssayError && error.code === 'conflict') return String(error.facts.error)
      throw error
    }
  }
}
