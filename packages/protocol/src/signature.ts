import { type Address, type Hex, recoverAddress } from 'viem'
import { sign } from 'viem/accounts'
import { AssayError } from './errors.ts'

/** Half the order of secp256k1; a larger s is the malleable twin (EIP-2). */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/** 65 bytes r ‖ s ‖ v, low s, v 27 or 28. */
export async function signDigest(digest: Hex, privateKey: Hex): Promise<Hex> {
  return sign({ hash: digest, privateKey, to: 'hex' })
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
  try {
    return (await recoverAddress({ hash: digest, signature })).toLowerCase() as Address
  } catch (cause) {
    throw new AssayError('No key recovers from this signature.', { code: 'bad_signature', cause })
  }
}
