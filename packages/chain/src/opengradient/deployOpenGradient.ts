import { readFileSync } from 'node:fs'
import { loadArtifact } from '@assay/contracts/artifacts'
import type { Contracts } from '@assay/protocol'
import { type Abi, type Address, getAddress, type Hex, isAddress, zeroAddress } from 'viem'
import { constructorArguments } from '../deploy/constructorArguments.ts'
import { writeDurably } from '../durableFile.ts'
import { publicClientOf } from '../publicClient.ts'
import { createSender } from '../sender/createSender.ts'

export type DeployOpenGradientOptions = {
  rpcUrl: string
  chainId: number
  deployerKey: Hex
  contracts: Contracts
  /** File that remembers what was deployed. */
  journalFile: string
}

/** Both hang on contracts of Assay, which they name: other addresses, other compatibility contracts. */
type Journal = { teeRegistry: Address; registry?: Address; settlement?: Address }

/**
 * Deploys the compatibility contracts beside Assay's own, once.
 * @throws AssayError as `createSender`'s calls do
 */
export async function deployOpenGradient(
  options: DeployOpenGradientOptions,
): Promise<{ registry: Address; settlement: Address }> {
  const { contracts, journalFile, deployerKey } = options
  const client = publicClientOf(options)
  const sender = createSender({ network: options, privateKey: deployerKey })
  const journal = readJournal(journalFile, contracts.TeeRegistry)
  const stands = async (address: Address | undefined): Promise<Address | undefined> =>
    address !== undefined && (await client.getCode({ address })) !== undefined ? address : undefined

  async function deploy(name: string, values: Record<string, unknown>): Promise<Address> {
    const { abi, bytecode } = loadArtifact(name)
    const args = constructorArguments(name, abi as Abi, values)
    const receipt = await sender.deploy({ abi: abi as Abi, bytecode, args })
    return getAddress(receipt.contractAddress ?? zeroAddress)
  }

  const known = await stands(journal.registry)
  const registry = known ?? (await deploy('OpenGradientRegistry', { teeRegistry: contracts.TeeRegistry }))
  const standing = known === undefined ? undefined : await stands(journal.settlement)
  const settlement =
    standing ?? (await deploy('OpenGradientSettlement', { settlement: contracts.Settlement, registry }))
  writeDurably(
    journalFile,
    `${JSON.stringify({ teeRegistry: contracts.TeeRegistry, registry, settlement } satisfies Journal)}\n`,
  )
  return { registry, settlement }
}

/** Empty where there is none, or one of another deployment. */
function readJournal(file: string, teeRegistry: Address): Journal {
  try {
    const raw = JSON.parse(readFileSync(file, 'utf8')) as Journal
    const addresses = [raw.teeRegistry, raw.registry, raw.settlement]
    if (raw.teeRegistry === teeRegistry && addresses.every((at) => at !== undefined && isAddress(at)))
      return raw
  } catch {
    // Deployed anew.
  }
  return { teeRegistry }
}
