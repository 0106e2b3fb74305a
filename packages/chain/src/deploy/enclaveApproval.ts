import { AssayError, type Network, teeRegistryAbi } from '@assay/protocol'
import type { Hex, PublicClient } from 'viem'
import { actionOf } from '../governance/actions.ts'
import { passProposal } from '../governance/passProposal.ts'
import type { ProposalAction } from '../governance/proposals.ts'
import type { Sender } from '../sender/createSender.ts'

/** Hardware, root and code that a development network accepts. */
export type EnclaveApproval = {
  /** Tag of the hardware's name, such as `HARDWARE_NITRO_SIM`. */
  hardwareType: Hex
  /** keccak256 of the root certificate's DER. */
  rootHash: Hex
  measurement: Hex
  /** Bit i = engine class i allowed. */
  engineClasses: number
}

const MAX_APPROVALS = 64

/**
 * Has what a development network lacks voted in by the account that holds its votes: a network that was deployed with
 * other enclaves, or before they existed, learns of them as every other network does. What was revoked stays revoked.
 */
export async function approveEnclaves(
  client: PublicClient,
  voter: Sender,
  network: Pick<Network, 'contracts'>,
  approvals: readonly EnclaveApproval[],
): Promise<void> {
  if (approvals.length > MAX_APPROVALS) {
    throw new AssayError('Too many enclaves to approve at once.', {
      code: 'config',
      facts: { given: approvals.length, limit: MAX_APPROVALS },
    })
  }
  const at = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  const actions = new Map<string, ProposalAction>()
  const add = (functionName: string, ...args: unknown[]) =>
    actions.set(
      `${functionName} ${args.slice(0, 2).join(' ')}`,
      actionOf(network, 'TeeRegistry', functionName, args),
    )
  for (const { hardwareType, rootHash, measurement, engineClasses } of approvals) {
    const [hardware, root, code] = await Promise.all([
      client.readContract({ ...at, functionName: 'hardware', args: [hardwareType] }),
      client.readContract({ ...at, functionName: 'root', args: [hardwareType, rootHash] }),
      client.readContract({ ...at, functionName: 'measurement', args: [hardwareType, measurement] }),
    ])
    if (hardware[0] === 0n) add('approveHardware', hardwareType)
    if (root[0] === 0n) {
      // The notice is shorter than a vote on a development network: nothing to wait for.
      await voter.send({
        ...at,
        functionName: 'proposeHardware',
        args: [hardwareType, rootHash, 'data:,development'],
      })
      add('approveRoot', hardwareType, rootHash)
    }
    if (code[0] === 0n) add('approveMeasurement', hardwareType, measurement, engineClasses)
  }
  if (actions.size === 0) return
  await passProposal({
    client,
    voter,
    network,
    actions: [...actions.values()],
    description: `Accept the development enclaves of this network. ${new Date().toISOString()}`,
  })
}
