import {
  type Address,
  domainSeparator,
  encodeAbiParameters,
  type Hex,
  parseAbiParameters,
  type TypedDataDomain,
} from 'viem'
import { keccak256 } from '#keccak256'
import { TAGS } from './tag.ts'
import { typedDigest } from './typedData.ts'

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

let last: { key: string; separator: Hex } | undefined

/** Domain separator; one process speaks of one deployment nearly always, so the last one is kept. */
function separatorOf(deployment: Deployment): Hex {
  const key = `${deployment.chainId} ${deployment.settlement} ${deployment.deploymentId}`
  if (last?.key !== key) last = { key, separator: domainSeparator({ domain: assayDomain(deployment) }) }
  return last.separator
}

/** What a key signs for a struct of ours: EIP-712's 0x1901 ‖ domain separator ‖ struct hash, hashed. */
export function structDigest(structHash: Hex, deployment: Deployment): Hex {
  return typedDigest(separatorOf(deployment), structHash)
}
