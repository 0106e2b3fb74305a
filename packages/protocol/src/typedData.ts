import { type Hex, stringToBytes } from 'viem'
import { keccak256 } from '#keccak256'
import { concatBytes } from './http.ts'
import { type StaticType, staticEncoder } from './staticEncoder.ts'

/** The encoding of a type without structs in it (EIP-712, "Definition of encodeType"). */
export function encodeType(
  name: string,
  fields: ReadonlyArray<{ readonly name: string; readonly type: string }>,
): string {
  return `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`
}

/**
 * EIP-712 hash of a struct whose members are one word each, its type compiled in: a general hasher reads the types anew
 * for every value, which takes longer than recovering the signer.
 * @param type the type's encoding, those of the structs in it included
 * @param members in their order; that of a struct, or of an array, is `bytes32`, its hash
 */
export function structHasher(
  type: string,
  members: readonly StaticType[],
): (values: readonly (Hex | bigint | number)[]) => Hex {
  const encode = staticEncoder(['bytes32', ...members])
  const typeHash = keccak256(stringToBytes(type))
  return (values) => keccak256(encode([typeHash, ...values]))
}

/** Hash of an array as a member: of its elements, one word each, and not of how many (EIP-712, "Definition of encodeData"). */
export function arrayHasher(element: StaticType): (values: readonly Hex[]) => Hex {
  const encode = staticEncoder([element])
  return (values) => keccak256(concatBytes(values.map((value) => encode([value]))))
}

const encodePair = staticEncoder(['bytes32', 'bytes32'])

/** What is signed (EIP-712): 0x1901 ‖ domain separator ‖ struct hash, hashed. */
export function typedDigest(separator: Hex, structHash: Hex): Hex {
  const bytes = new Uint8Array(66)
  bytes[0] = 0x19
  bytes[1] = 0x01
  bytes.set(encodePair([separator, structHash]), 2)
  return keccak256(bytes)
}
