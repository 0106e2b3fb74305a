import {
  type Address,
  encodeAbiParameters,
  type Hex,
  keccak256,
  parseAbiParameters,
  type TypedDataDomain,
} from 'viem'
import { TAGS } from './tag.ts'

/** One deployment of the contracts on one chain; what every signature is bound to. */
export type Deployment = {
  chainId: number
  /** Settlement contract, the `verifyingContract` of the EIP-712 domain. */
  settlement: Address
  /** Salt of the domain: a wiped devnet reuses addresses, never this. */
  deploymentId: Hex
}

/** EIP-712 domain of receipts, attestations, request authorisations and key votes. */
export function assayDomain(deployment: Deployment): TypedDataDomain {
  return {
    name: 'Assay',
    version: '1',
    chainId: deployment.chainId,
    verifyingContract: deployment.settlement,
    salt: deployment.deploymentId,
  }
}

/** docs/spec.md §4. `entropy`: 32 random bytes drawn at deployment. */
export function deploymentIdOf(chainId: number, deployer: Address, entropy: Hex): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, uint256, address, bytes32'), [
      TAGS.deployment,
      BigInt(chainId),
      deployer,
      entropy,
    ]),
  )
}
