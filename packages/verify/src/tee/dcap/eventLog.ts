import { concatBytes } from '@assay/protocol'
import { sha384 } from '@noble/hashes/sha2.js'
import { bytesToHex, type Hex, hexToBytes } from 'viem'
import { asArray, asHex, asHexText, asInteger, asObject, asText, CollateralError, parseJson } from './json.ts'

/** An entry of a TD's event log: what was measured into one of its four run-time registers. */
export type TdEvent = {
  /** Register, 0 to 3. */
  register: 0 | 1 | 2 | 3
  /** SHA-384, 48 bytes: what the register was extended by. */
  digest: Hex
  /** Name and payload, where the digest proves them (dstack's run-time events); undefined for events of firmware. */
  claim: { name: string; payload: Hex } | undefined
}

const MAX_LOG_CHARACTERS = 1_048_576
const MAX_EVENTS = 4096
const MAX_PAYLOAD_BYTES = 65_536
/** dstack's event type for what the guest itself measures; its digest covers type, name and payload. */
const DSTACK_RUNTIME = 0x08000001

/** sha384(type as four little-endian bytes ‖ ":" ‖ name ‖ ":" ‖ payload). */
function runtimeDigest(name: string, payload: Hex): Hex {
  const type = Uint8Array.of(1, 0, 0, 8)
  const text = new TextEncoder().encode(`:${name}:`)
  return bytesToHex(sha384(concatBytes([type, text, hexToBytes(payload)])))
}

function readEvent(value: unknown): TdEvent {
  const event = asObject(value, 'event')
  const register = asInteger(event.imr, 3, 'imr') as TdEvent['register']
  const type = asInteger(event.event_type, 0xffffffff, 'event_type')
  if (type !== DSTACK_RUNTIME) {
    return { register, digest: asHex(event.digest, 48, 'digest'), claim: undefined }
  }
  const name = asText(event.event, 256, 'event')
  const payload = asHexText(event.event_payload, MAX_PAYLOAD_BYTES, 'event_payload')
  const digest = runtimeDigest(name, payload)
  // The short form of the log leaves the digest out, since it follows from the rest.
  if (event.digest !== '' && asHex(event.digest, 48, 'digest') !== digest) {
    throw new CollateralError('the digest of an event is not that of its payload')
  }
  return { register, digest, claim: { name, payload } }
}

/** Reads the JSON event log that dstack's guest agent gives with a quote. @throws CollateralError */
export function readEventLog(text: string): readonly TdEvent[] {
  if (text.length > MAX_LOG_CHARACTERS) throw new CollateralError('the event log is too large')
  return asArray(parseJson(text, 'event log'), MAX_EVENTS, 'event log').map(readEvent)
}

/** What RTMR0 to RTMR3 hold after these events: each starts at zero and becomes sha384(register ‖ digest). */
export function replayRtmrs(events: readonly TdEvent[]): [Hex, Hex, Hex, Hex] {
  const registers = [0, 1, 2, 3].map(() => new Uint8Array(48))
  for (const { register, digest } of events) {
    registers[register] = sha384(concatBytes([registers[register] as Uint8Array, hexToBytes(digest)]))
  }
  return registers.map((register) => bytesToHex(register)) as [Hex, Hex, Hex, Hex]
}
