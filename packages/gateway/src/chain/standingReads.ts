import { type Network, nodeBondAbi, paramStoreAbi, validatorStakingAbi } from '@assay/protocol'
import { type Address, BaseError, ContractFunctionRevertedError, type PublicClient, stringToHex } from 'viem'
import type { Bond, GatewayChain } from './gatewayChain.ts'

/** Stake that must agree for a batch to become final: two thirds (`Settlement.attest`). */
const QUORUM = { numerator: 2n, denominator: 3n }
const BPS = 10_000n
/** Registered operators that are looked at, oldest first. */
const MAX_OPERATORS = 1024
/** Read at once. */
const CHUNK = 64

/** What stands behind nodes, gateways and validators, as the contracts have it. */
export function connectStanding(
  network: Network,
  client: PublicClient,
): Pick<GatewayChain, 'bonds' | 'quorumAtStake' | 'bondedOperators'> {
  const { NodeBond, ValidatorStaking, ParamStore } = network.contracts
  const bond = { address: NodeBond, abi: nodeBondAbi } as const

  async function bondOf(operator: Address): Promise<[Address, Bond]> {
    const [covered, open] = await Promise.all([
      client.readContract({ ...bond, functionName: 'coverageOf', args: [operator] }),
      client.readContract({ ...bond, functionName: 'openExposureOf', args: [operator] }),
    ])
    return [operator.toLowerCase() as Address, { covered, open }]
  }

  /** Undefined past the last. */
  async function operatorAt(
    number: number,
  ): Promise<{ operator: Address; url: string; bonded: boolean } | undefined> {
    try {
      const args = [BigInt(number)] as const
      const operator = await client.readContract({ ...bond, functionName: 'operatorAt', args })
      const [bonded, [, , , url]] = await Promise.all([
        client.readContract({ ...bond, functionName: 'isBonded', args: [operator] }),
        client.readContract({ ...bond, functionName: 'node', args: [operator] }),
      ])
      return { operator, url, bonded }
    } catch (error) {
      // The contract has no count: reading past its end reverts.
      if (error instanceof BaseError && error.walk(isRevert) !== null) return undefined
      throw error
    }
  }

  return {
    bonds: async (operators) => new Map(await Promise.all(operators.map(bondOf))),
    async quorumAtStake() {
      const [total, phi] = await Promise.all([
        client.readContract({
          address: ValidatorStaking,
          abi: validatorStakingAbi,
          functionName: 'totalStake',
        }),
        client.readContract({
          address: ParamStore,
          abi: paramStoreAbi,
          functionName: 'get',
          args: [stringToHex('PHI_TEE_BPS', { size: 32 })],
        }),
      ])
      return (total * QUORUM.numerator * phi) / (QUORUM.denominator * BPS)
    },
    async bondedOperators() {
      const found: { operator: Address; url: string }[] = []
      for (let from = 1; from <= MAX_OPERATORS; from += CHUNK) {
        const numbers = Array.from({ length: CHUNK }, (_, at) => from + at)
        const read = await Promise.all(numbers.map(operatorAt))
        for (const entry of read) {
          if (entry?.bonded === true) found.push({ operator: entry.operator, url: entry.url })
        }
        if (read.at(-1) === undefined) break
      }
      return found
    },
  }
}

function isRevert(error: unknown): boolean {
  return error instanceof ContractFunctionRevertedError
}
