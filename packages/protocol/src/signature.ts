import { type Address, bytesToHex, type Hex, hexToBytes } from 'viem'
import { keccak256 } from '#keccak256'
import { secp256k1 } from '#secp256k1'
import { AssayError } from './errors.ts'

/** Half the order of secp256k1; a larger s is the malleable twin (EIP-2). */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/** 65 bytes r ‖ s ‖ v, low s, v 27 or 28. */
export async function signDigest(digest: Hex, privateKey: Hex): Promise<Hex> {
  const { signature, recoveryId } = secp256k1.sign(hexToBytes(digest), hexToBytes(privateKey))
  return `${bytesToHex(signature)}${recoveryId === 0 ? '1b' : '1c'}`
}

/**
 * Signer of a digest. Rejects every form of a signature but the one that `signDigest` makes.
 * @throws AssayError `bad_signature`
 */
export async function recoverSigner(digest: Hex, signature: Hex): Promise<Address> {
  if (!/^0x[0-9a-f]{130}$/.test(signature)) {
    throw new AssayError('A signature is 65 bytes in lower-case hex.', { code: 'bad_signature' })
  }
  const v = signature.slice(130)
  if ((v !== '1b' && v !== '1c') || BigInt(`0x${signature.slice(66, 130)}`) > HALF_ORDER) {
    throw new AssayError('The signature is not in canonical form (low s, v 27 or 28).', {
      code: 'bad_signature',
    })
  }
  const publicKey = recoverPublicKey(
    hexToBytes(digest),
    hexToBytes(signature).subarray(0, 64),
    v === '1b' ? 0 : 1,
  )
  // An address is the last 20 bytes of the hash of the key without its format byte (Yellow Paper, appendix F).
  return `0x${keccak256(publicKey.subarray(1)).slice(-40)}`
}

function recoverPublicKey(digest: Uint8Array, compact: Uint8Array, recoveryId: 0 | 1): Uint8Array {
  let cause: unknown
  try {
    const publicKey = secp256k1.recover(digest, compact, recoveryId)
    if (publicKey !== null) return publicKey
  } catch (error) {
    cause = error
  }
  throw new AssayError('No key recovers from this signature.', { code: 'bad_signature', cause })
}
