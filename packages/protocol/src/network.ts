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
  'ZkFault',
] as const
export type ContractName = (typeof CONTRACT_NAMES)[number]
export type Contracts = Record<ContractName, Address>

/** A model as the network file lists it. */
export type NetworkModel = { name: string; modelId: Hex; contextLength: number; modes: string[] }

/** OpenGradient's wire format beside Assay's own, on a development chain: docs/opengradient.md. */
export type OpenGradientProfile = {
  name: 'opengradient'
  /** The only account whose payments are taken: made with this network, so that its signatures are worth nothing elsewhere. */
  payer: Address
  registry: Address
  settlement: Address
  /** Where its clients call the gateway, under the certificate that they pin (DER). */
  endpoint: string
  tlsCertificate: Hex
}

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
  profile?: OpenGradientProfile | undefined
}

export function deploymentOf(network: Network): Deployment {
  return {
    chainId: network.chainId,
    settlement: network.contracts.Settlement,
    deploymentId: network.deploymentId,
  }
}
