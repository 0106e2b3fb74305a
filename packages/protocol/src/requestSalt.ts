import { bytesToHex, stringToBytes } from 'viem'
import { keccak256 } from '#keccak256'

/** Listed header that gives a request a hash that no other request of the same words has. */
export const SALT_HEADER = 'x-assay-salt'
/** A client's own name for its request, under which it may be sent again. */
export const NAME_HEADER = 'idempotency-key'
/** `true` on an answer that was given before, to a request of the same name. */
export const REPLAYED_HEADER = 'x-assay-replayed'
/** Bytes of a salt: nobody guesses it, and no two requests have the same by chance. */
const SALT_BYTES = 16

/**
 * The salt of a request, hex; undefined where it needs none, since its payer signs for its id.
 *
 * Encrypted, it is random, so that nobody can try guesses of the prompt against the receipt's hash. Under an API key too,
 * where nobody signs for the id and an earlier answer could be given for this one's. A request that its client named has the
 * same one whenever it is sent under that name: its answer may be given again, and only its own.
 */
export function requestSalt(request: {
  sealed: boolean
  apiKey: string | undefined
  name: string | null
}): string | undefined {
  const { sealed, apiKey, name } = request
  if (sealed || (name === null && apiKey !== undefined)) {
    return bytesToHex(crypto.getRandomValues(new Uint8Array(SALT_BYTES))).slice(2)
  }
  if (name === null) return undefined
  // Of the key too, within which alone a name is known: what another key's request was told is not the answer to this.
  const digest = keccak256(stringToBytes(JSON.stringify([apiKey ?? null, name])))
  return digest.slice(2, 2 + 2 * SALT_BYTES)
}
