import { concat, type Hex, hexToBytes, keccak256, numberToHex, stringToBytes } from 'viem'
import { fromBase64, toBase64 } from '../base64/base64.ts'
import { writePythonJson } from './pythonJson.ts'

/** A function call as OpenGradient's output hash covers it. */
export type SignedCall = { id: string; name: string; arguments: string }

/** What was answered: text, or function calls where that is why the model stopped. */
export type SignedOutput = { text: string } | { calls: readonly SignedCall[] }

/** What an enclave of OpenGradient says of an answer; the signature is over all but `teeId`, which names the key. */
export type TeeStatement = {
  /** keccak256 of the key's SubjectPublicKeyInfo, DER. */
  teeId: Hex
  requestHash: Hex
  outputHash: Hex
  /** Unix seconds. */
  timestamp: number
  /** RSA-2048 PSS, SHA-256, salt of 32 bytes. */
  signature: Uint8Array
}

/** The members that a response carries for it: hashes without 0x, the signature in base64. */
export type TeeFields = {
  tee_signature: string
  tee_request_hash: string
  tee_output_hash: string
  tee_timestamp: number
  tee_id: Hex
}

/** keccak256 of a canonical request (`canonicalRequest`). */
export function teeRequestHash(canonical: string): Hex {
  return keccak256(stringToBytes(canonical))
}

/** keccak256 of the text, or of Python's `json.dumps(tool_calls, sort_keys=True)`. */
export function teeOutputHash(output: SignedOutput): Hex {
  const text =
    'text' in output
      ? output.text
      : writePythonJson(
          output.calls.map((call) => ({
            id: call.id,
            type: 'function',
            function: { name: call.name, arguments: call.arguments },
          })),
        )
  return keccak256(stringToBytes(text))
}

/** The 32 bytes that are signed: keccak256(request hash ‖ output hash ‖ uint256 timestamp). */
export function teeMessage({
  requestHash,
  outputHash,
  timestamp,
}: Pick<TeeStatement, 'requestHash' | 'outputHash' | 'timestamp'>): Uint8Array {
  return hexToBytes(keccak256(concat([requestHash, outputHash, numberToHex(timestamp, { size: 32 })])))
}

export function teeIdOf(publicKeyDer: Uint8Array): Hex {
  return keccak256(publicKeyDer)
}

export function teeFields(statement: TeeStatement): TeeFields {
  return {
    tee_signature: toBase64(statement.signature),
    tee_request_hash: statement.requestHash.slice(2),
    tee_output_hash: statement.outputHash.slice(2),
    tee_timestamp: statement.timestamp,
    tee_id: statement.teeId,
  }
}

/** The statement in a response, or undefined where there is none or it cannot be read. */
export function readTeeFields(response: unknown): TeeStatement | undefined {
  if (typeof response !== 'object' || response === null) return undefined
  const { tee_signature, tee_request_hash, tee_output_hash, tee_timestamp, tee_id } = response as Partial<
    Record<keyof TeeFields, unknown>
  >
  if (typeof tee_timestamp !== 'number' || !Number.isSafeInteger(tee_timestamp) || tee_timestamp < 0)
    return undefined
  if (!isWord(tee_request_hash) || !isWord(tee_output_hash)) return undefined
  if (typeof tee_id !== 'string' || !isWord(tee_id.slice(2)) || !tee_id.startsWith('0x')) return undefined
  if (typeof tee_signature !== 'string' || tee_signature.length > 1024) return undefined
  try {
    return {
      teeId: tee_id as Hex,
      requestHash: `0x${tee_request_hash}`,
      outputHash: `0x${tee_output_hash}`,
      timestamp: tee_timestamp,
      signature: fromBase64(tee_signature),
    }
  } catch {
    return undefined
  }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

/** Whether the statement was signed by the key, and names it. */
export async function teeSignatureHolds(statement: TeeStatement, publicKeyDer: Uint8Array): Promise<boolean> {
  if (teeIdOf(publicKeyDer) !== statement.teeId) return false
  try {
    const key = await crypto.subtle.importKey(
      'spki',
      new Uint8Array(publicKeyDer),
      { name: 'RSA-PSS', hash: 'SHA-256' },
      false,
      ['verify'],
    )
    return await crypto.subtle.verify(
      { name: 'RSA-PSS', saltLength: 32 },
      key,
      new Uint8Array(statement.signature),
      new Uint8Array(teeMessage(statement)),
    )
  } catch {
    return false
  }
}
