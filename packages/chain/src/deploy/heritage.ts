import { AssayError, genesisAllocatorAbi } from '@assay/protocol'
import { type Address, type Hex, isAddressEqual, type PublicClient } from 'viem'
import { readJournal } from './deployJournal.ts'

/** What a deployment takes over from the one that it succeeds. */
export type Heritage = {
  /** Identity of that deployment. */
  succeeds: Hex
  contracts: { OPG: Address; GenesisAllocator: Address }
}

/**
 * The token that an earlier deployment's journal names, and the allocation of its supply; the chain must say that the
 * one was paid out by the other. @throws AssayError `config`
 */
export async function readHeritage(
  journalFile: string,
  chainId: number,
  client: PublicClient,
): Promise<Heritage> {
  const journal = readJournal(journalFile)
  const { OPG, GenesisAllocator } = journal?.contracts ?? {}
  const refuse = (reason: string) =>
    new AssayError(reason, {
      code: 'config',
      facts: { file: journalFile },
      next: 'Name the journal file of a whole deployment on this chain.',
    })
  if (journal === undefined) throw refuse('There is no record of the deployment to succeed.')
  if (journal.chainId !== chainId) throw refuse('The deployment to succeed is on another chain.')
  if (OPG === undefined || GenesisAllocator === undefined) {
    throw refuse('The record of the deployment to succeed names no token.')
  }
  const allocator = { address: GenesisAllocator, abi: genesisAllocatorAbi } as const
  const [token, distributed] = await Promise.all([
    client.readContract({ ...allocator, functionName: 'token' }),
    client.readContract({ ...allocator, functionName: 'distributed' }),
  ]).catch((cause: unknown) => {
    throw new AssayError('The deployment to succeed is not on this chain.', {
      code: 'config',
      facts: { genesisAllocator: GenesisAllocator },
      cause,
    })
  })
  if (!isAddressEqual(token, OPG) || !distributed) throw refuse('The token to go on with was never paid out.')
  return { succeeds: journal.deploymentId, contracts: { OPG, GenesisAllocator } }
}
