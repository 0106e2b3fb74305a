import {
  type Address,
  encodeAbiParameters,
  type Hex,
  hashTypedData,
  parseAbiParameters,
  zeroHash,
} from 'viem'
import { keccak256 } from '#keccak256'
import { assayDomain, type Deployment } from './domain.ts'
import { TAGS, tag } from './tag.ts'

export const HARDWARE_NITRO: Hex = tag('nitro')
/** Development hardware: same documents as Nitro, but under a local root. Never on a production genesis. */
export const HARDWARE_NITRO_SIM: Hex = tag('nitro-sim')
export const HARDWARE_SNP: Hex = tag('snp')
/** Trust domains and enclaves under Intel's DCAP. One root certifies both, so approving it says for which. */
export const HARDWARE_TDX: Hex = tag('tdx')
export const HARDWARE_SGX: Hex = tag('sgx')
/** GPUs of NVIDIA, which stand beside a machine's processor and never alone. */
export const HARDWARE_NVIDIA_GPU: Hex = tag('nvidia-gpu')
export const NO_KEY_HASH: Hex = zeroHash

/** TeeRegistry.Kind: what a suspension is of. */
export const RECORD_KIND = { hardware: 0, root: 1, measurement: 2, key: 3 } as const

/** What an attestation binds together. */
export type EnclaveBinding = {
  node: Address
  key: Address
  tlsKeyHash: Hex
  hpkeKeyHash: Hex
  /** A recent block: nobody knew its hash before, so the attestation is younger. */
  anchorBlock: bigint
  anchorHash: Hex
}

/** The 32 bytes that an enclave puts into the attestation's user data (docs/spec.md §7). */
export function enclaveBinding(deployment: Deployment, binding: EnclaveBinding): Hex {
  return keccak256(
    encodeAbiParameters(
      parseAbiParameters('bytes32, uint256, bytes32, address, address, bytes32, bytes32, uint64, bytes32'),
      [
        TAGS.enclaveBinding,
        BigInt(deployment.chainId),
        deployment.deploymentId,
        binding.node,
        binding.key,
        binding.tlsKeyHash,
        binding.hpkeKeyHash,
        binding.anchorBlock,
        binding.anchorHash,
      ],
    ),
  )
}

/** Measurement of a Nitro enclave from PCR 0, 1 and 2 (48 bytes each). */
export function nitroMeasurement(pcr0: Hex, pcr1: Hex, pcr2: Hex): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, bytes, bytes, bytes'), [
      TAGS.nitroMeasurement,
      pcr0,
      pcr1,
      pcr2,
    ]),
  )
}

/** Measurement of a SEV-SNP guest: MEASUREMENT (48 bytes) and HOST_DATA (32 bytes), which the host sets at launch. */
export function snpMeasurement(measurement: Hex, hostData: Hex): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, bytes, bytes'), [
      TAGS.snpMeasurement,
      measurement,
      hostData,
    ]),
  )
}

/**
 * Measurement of a TDX trust domain: MRTD, MRCONFIGID, which the host sets at launch, and RTMR0 to RTMR3 (48 bytes each),
 * which firmware and guest extend as they boot.
 */
export function tdxMeasurement(mrTd: Hex, mrConfigId: Hex, rtmrs: readonly [Hex, Hex, Hex, Hex]): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, bytes, bytes, bytes, bytes, bytes, bytes'), [
      TAGS.tdxMeasurement,
      mrTd,
      mrConfigId,
      ...rtmrs,
    ]),
  )
}

/** Measurement of an SGX enclave: MRENCLAVE (32 bytes) and CONFIGID (64 bytes), which the host sets at launch. */
export function sgxMeasurement(mrEnclave: Hex, configId: Hex): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, bytes, bytes'), [
      TAGS.sgxMeasurement,
      mrEnclave,
      configId,
    ]),
  )
}

/**
 * The nonce with which an enclave asks its GPU for a report. A GPU's report names no virtual machine, so this ties it to
 * the one whose attestation carries `binding` (`enclaveBinding`), and to no other.
 */
export function gpuNonce(binding: Hex): Hex {
  return keccak256(encodeAbiParameters(parseAbiParameters('bytes32, bytes32'), [TAGS.gpuNonce, binding]))
}

/** A key that a node proposes for registration. */
export type KeyRegistration = {
  node: Address
  key: Address
  hardwareType: Hex
  rootHash: Hex
  measurement: Hex
  engineClasses: number
  evidenceHash: Hex
}

export function registrationIdOf(chainId: number, teeRegistry: Address, registration: KeyRegistration): Hex {
  return keccak256(
    encodeAbiParameters(
      parseAbiParameters(
        'bytes32, uint256, address, address, address, bytes32, bytes32, bytes32, uint8, bytes32',
      ),
      [
        TAGS.registration,
        BigInt(chainId),
        teeRegistry,
        registration.node,
        registration.key,
        registration.hardwareType,
        registration.rootHash,
        registration.measurement,
        registration.engineClasses,
        registration.evidenceHash,
      ],
    ),
  )
}

/** A validator's vote on a registration. */
export type KeyVote = { registrationId: Hex; valid: boolean }

export const KEY_VOTE_TYPES = {
  KeyVote: [
    { name: 'registrationId', type: 'bytes32' },
    { name: 'valid', type: 'bool' },
  ],
} as const

export function keyVoteDigest(vote: KeyVote, deployment: Deployment): Hex {
  return hashTypedData({
    domain: assayDomain(deployment),
    types: KEY_VOTE_TYPES,
    primaryType: 'KeyVote',
    message: vote,
  })
}
