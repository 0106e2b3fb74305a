import { AssayError, type ContractName, type Contracts, FAULT_CLASS, faultManagerAbi } from '@assay/protocol'
import { isAddressEqual, type PublicClient, zeroAddress } from 'viem'
import type { Sender } from '../sender/createSender.ts'

/** The judges that a deployment begins with, and the gas that each gets for one proof. */
const ADAPTERS = [
  { class: FAULT_CLASS.tee, contract: 'TeeFault', gas: 1_000_000n },
  { class: FAULT_CLASS.zk, contract: 'ZkFault', gas: 1_500_000n },
  { class: FAULT_CLASS.equivocation, contract: 'EquivocationFault', gas: 1_000_000n },
  { class: FAULT_CLASS.data, contract: 'DataChallenge', gas: 200_000n },
  { class: FAULT_CLASS.sum, contract: 'SumFault', gas: 1_000_000n },
  { class: FAULT_CLASS.row, contract: 'RowFault', gas: 1_500_000n },
  { class: FAULT_CLASS.canary, contract: 'CanaryRegistry', gas: 200_000n },
] as const satisfies readonly { class: number; contract: ContractName; gas: bigint }[]

/** Gives FaultManager its judges, where that is still to do. */
export async function wireFaults(client: PublicClient, sender: Sender, contracts: Contracts): Promise<void> {
  const faults = { address: contracts.FaultManager, abi: faultManagerAbi } as const
  const [judge] = await client.readContract({
    ...faults,
    functionName: 'adapterOf',
    args: [FAULT_CLASS.tee],
  })
  if (judge === zeroAddress) {
    await sender.send({
      ...faults,
      functionName: 'wire',
      args: [
        ADAPTERS.map((adapter) => adapter.class),
        ADAPTERS.map((adapter) => contracts[adapter.contract]),
        ADAPTERS.map((adapter) => adapter.gas),
      ],
    })
  } else if (!isAddressEqual(judge, contracts.TeeFault)) throw hijacked('FaultManager', judge)
}

/** A one-shot setter that somebody else got to first: possible only where the deployer's key is shared. */
export function hijacked(contract: ContractName, found: `0x${string}` | undefined): AssayError {
  return new AssayError(`${contract} is wired to a stranger's contract.`, {
    code: 'conflict',
    facts: { contract, found },
    next: 'Move the journal file away and deploy again; nothing of value was in this deployment.',
  })
}
