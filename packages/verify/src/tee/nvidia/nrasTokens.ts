import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from 'viem'
import type { Problem } from '../checklist.ts'
import { isObject } from '../jose/jws.ts'

/** Eight GPUs and four switches make about 60 KB. */
const MAX_RESPONSE_CHARACTERS = 1_048_576
const MAX_DEVICES = 64

/** What NVIDIA's remote attestation service answers: one token for all, and one for each device. */
export type NrasTokens = {
  overall: string
  /** By submodule name, e.g. "GPU-0". */
  devices: Readonly<Record<string, string>>
}

/** Reads the service's answer, `[["JWT", overall], {"GPU-0": token, …}]`. @throws Error */
export function parseNrasResponse(text: string): NrasTokens {
  if (text.length > MAX_RESPONSE_CHARACTERS) throw new Error(`the answer has ${text.length} characters`)
  const answer: unknown = JSON.parse(text)
  if (!Array.isArray(answer) || answer.length !== 2) throw new Error('the answer is not a pair')
  const [overall, devices] = answer as [unknown, unknown]
  if (
    !Array.isArray(overall) ||
    overall.length !== 2 ||
    overall[0] !== 'JWT' ||
    typeof overall[1] !== 'string'
  ) {
    throw new Error('the overall token is missing')
  }
  if (!isObject(devices) || Object.values(devices).some((token) => typeof token !== 'string')) {
    throw new Error('the device tokens are missing')
  }
  return { overall: overall[1], devices: devices as Record<string, string> }
}

export type SubmoduleCode =
  | 'submodule_missing' // listed in the overall token, not given
  | 'submodule_extra' // given, not listed
  | 'submodule_differs' // not the token whose digest is listed

/** `["DIGEST", ["SHA-256", hex]]` of a detached EAT bundle (RFC 9711 §4.2.18). */
function digestOf(entry: unknown): string | undefined {
  if (!Array.isArray(entry) || entry.length !== 2 || entry[0] !== 'DIGEST') return undefined
  const pair: unknown = entry[1]
  if (!Array.isArray(pair) || pair.length !== 2) return undefined
  const [algorithm, value] = pair as [unknown, unknown]
  if ((algorithm !== 'SHA-256' && algorithm !== 'SHA256') || typeof value !== 'string') return undefined
  return value.toLowerCase()
}

/** The tokens given are exactly those that the overall token lists, each with its digest. */
export function submoduleProblem(
  submods: unknown,
  devices: NrasTokens['devices'],
): Problem<SubmoduleCode> | undefined {
  const listed = isObject(submods) ? Object.entries(submods) : []
  if (listed.length === 0) return { code: 'submodule_missing', reason: 'the overall token lists no device' }
  if (listed.length > MAX_DEVICES) throw new Error(`the overall token lists ${listed.length} devices`)
  for (const name of Object.keys(devices)) {
    if (!listed.some(([other]) => other === name)) {
      return { code: 'submodule_extra', reason: `token ${JSON.stringify(name)} is not in the overall token` }
    }
  }
  for (const [name, entry] of listed) {
    const token = Object.hasOwn(devices, name) ? devices[name] : undefined
    if (token === undefined) return { code: 'submodule_missing', reason: `the token of ${name} is missing` }
    const digest = bytesToHex(sha256(new TextEncoder().encode(token))).slice(2)
    if (digestOf(entry) !== digest) {
      return { code: 'submodule_differs', reason: `the token of ${name} is not the one listed` }
    }
  }
  return undefined
}
