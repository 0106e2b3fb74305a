import { type Address, encodeAbiParameters, type Hex, keccak256, stringToBytes } from 'viem'
import { tag } from '../tag.ts'

const REGISTRATION_TAG = tag('assay/opengradient-tee/v1')

/** What an operator tells the compatibility registry of an enclave. */
export type TeeRegistration = {
  /** Node operator, who sends it. */
  owner: Address
  paymentAddress: Address
  /** URL that clients call. */
  endpoint: string
  /** SubjectPublicKeyInfo of the RSA key, DER. */
  publicKey: Hex
  /** Certificate that clients pin, DER. */
  tlsCertificate: Hex
}

/**
 * What the enclave's receipt key signs, so that nobody registers an RSA key that does not live beside an attested one:
 * keccak256(abi.encode(tag, chainId, registry, owner, paymentAddress, keccak256(endpoint), keccak256(publicKey),
 * keccak256(tlsCertificate))).
 */
export function teeRegistrationDigest(
  registration: TeeRegistration,
  place: { chainId: number; registry: Address },
): Hex {
  const { owner, paymentAddress, endpoint, publicKey, tlsCertificate } = registration
  return keccak256(
    encodeAbiParameters(
      [
        { type: 'bytes32' },
        { type: 'uint256' },
        { type: 'address' },
        { type: 'address' },
        { type: 'address' },
        { type: 'bytes32' },
        { type: 'bytes32' },
        { type: 'bytes32' },
      ],
      [
        REGISTRATION_TAG,
        BigInt(place.chainId),
        place.registry,
        owner,
        paymentAddress,
        keccak256(stringToBytes(endpoint)),
        keccak256(publicKey),
        keccak256(tlsCertificate),
      ],
    ),
  )
}
