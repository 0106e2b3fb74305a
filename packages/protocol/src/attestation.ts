import { type Hex, hashTypedData } from 'viem'
import { assayDomain, type Deployment } from './domain.ts'

export const VERDICT = { valid: 1, invalid: 2 } as const

/** A validator's statement about one batch (docs/spec.md §6). */
export type Attestation = {
  batchId: Hex
  root: Hex
  /** Number of the block that holds the commit: the registry state that was judged against. */
  registryBlock: bigint
  dataAvailable: boolean
  verdict: number
}

export const ATTESTATION_TYPES = {
  Attestation: [
    { name: 'batchId', type: 'bytes32' },
    { name: 'root', type: 'bytes32' },
    { name: 'registryBlock', type: 'uint64' },
    { name: 'dataAvailable', type: 'bool' },
    { name: 'verdict', type: 'uint8' },
  ],
} as const

export function attestationDigest(attestation: Attestation, deployment: Deployment): Hex {
  return hashTypedData({
    domain: assayDomain(deployment),
    types: ATTESTATION_TYPES,
    primaryType: 'Attestation',
    message: attestation,
  })
}
