import type { Address, Hex } from 'viem'
import type { Deployment } from './domain.ts'

/** Names of the deployed contracts, as they stand in `network.json`. */
export const CONTRACT_NAMES = [
  'OPG',
  'GenesisAllocator',
  'ParamStore',
  'ModelRegistry',
  'TeeRegistry',
  'NodeBond',
  'ValidatorStaking',
  'Settlement',
  'InferenceEscrow',
  'SpendingGrants',
  'RevenueSplitter',
  'OpgTimelock',
  'OpgVotes',
  'OpgGovernor',
  'Guardian',
  'PauseClock',
  'SupplyView',
  'FaultManager',
  'TeeFault',
  'EquivocationFault',
  'DataChallenge',
  'SumFault',
  'RowFault',
  'CanaryRegistry',
] as const
export type ContractName = (typeof CONTRACT_NAMES)[number]
export type Contracts = Record<ContractName, Address>

/** A model as the network file lists it. */
export type NetworkModel = { name: string; modelId: Hex; contextLength: number; modes: string[] }

/**
 * `.assay/network.json`: what a client, a server or a script needs to find the network (DESIGN §7, a stable surface).
 * The demo account exists on a development chain only.
 */
export type Network = {
  chainId: number
  rpcUrl: string
  gatewayUrl: string
  deploymentId: Hex
  contracts: Contracts
  /** Gateway operator, whose till payments go to. */
  gateway: Address
  nodes: { operator: Address; url: string }[]
  validators: { operator: Address; url: string }[]
  accounts: { demo?: { address: Address; privateKey: Hex } }
  models: NetworkModel[]
}

export function deploymentOf(network: Network): Deployment {
  return {
    chainId: network.chainId,
    settlement: network.contracts.Settlement,
    deploymentId: network.deploymentId,
  }
}
