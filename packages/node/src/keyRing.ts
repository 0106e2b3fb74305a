import type { Deployment, OhttpKey, SignedReceipt } from '@assay/protocol'
import type { Address } from 'viem'
import type { Enclave } from './enclaves/enclave.ts'
import type { Registration } from './register.ts'
import { createReceiptSigner, type ReceiptParameters } from './signReceipt.ts'

/** What an encrypted request is opened and answered by: its receipt is signed by the key that the client chose. */
export type ConfidentialKey = {
  key: Address
  ohttp: OhttpKey
  simulated: boolean
  sign: (answer: ReceiptParameters) => Promise<SignedReceipt>
}

type Member = ConfidentialKey & { enclave: Enclave; registration: Registration; retired: boolean }

export type KeyRing = {
  /** The key that new receipts are signed by. */
  current: () => ConfidentialKey & { enclave: Enclave }
  /** Keys that may be encrypted to, the current one first: a client may have asked for the other a moment ago. */
  confidential: () => readonly ConfidentialKey[]
  sign: (answer: ReceiptParameters) => Promise<SignedReceipt>
  isValid: () => boolean
  /** Resolves when the first key was admitted. */
  ready: Promise<void>
  /** Draws another key and has it admitted while the old one goes on; resolves when receipts are signed by the new one. */
  rotate: () => Promise<void>
  close: () => void
}

/** ms that a key still opens requests after another took its place: longer than any answer takes. */
const OVERLAP_MS = 600_000
/** ms between two attempts to replace a key that ended. */
const AGAIN_MS = 5_000

export type OpenKeyRingParameters = {
  /** Draws a new key. */
  open: () => Promise<Enclave>
  /** Has it admitted and keeps it so. */
  register: (enclave: Enclave) => Registration
  node: Address
  deployment: Deployment
  log: (event: string, facts: Record<string, unknown>) => void
  overlapMs?: number | undefined
}

/**
 * The keys of an enclave, of which there is one but for the time of a rotation. Receipts are signed by the newest that was
 * admitted; a request that came encrypted to another is answered by that one. A key leaves without a word to the chain: it
 * is not attested again, so its term runs out, and nobody holds it any more. Keys that ended are replaced by themselves.
 */
export async function openKeyRing(parameters: OpenKeyRingParameters): Promise<KeyRing> {
  const { open, register, node, deployment, log, overlapMs = OVERLAP_MS } = parameters
  let closed = false
  let rotating: Promise<void> | undefined
  const timers = new Set<NodeJS.Timeout>()
  const later = (work: () => void, ms: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms)
    timers.add(timer)
  }

  async function join(): Promise<Member> {
    const enclave = await open()
    const registration = register(enclave)
    const sign = createReceiptSigner({
      signer: enclave,
      node,
      deployment,
      validFrom: registration.validFrom,
    })
    const { key, ohttp, simulated } = enclave
    const member: Member = { enclave, registration, key, ohttp, simulated, sign, retired: false }
    void registration.ended.then(() => replace(member))
    return member
  }

  function replace(member: Member): void {
    if (closed || member.retired) return
    log('key_ended', { key: member.key })
    rotate().catch((error: unknown) => {
      log('rotation_failed', {
        reason: error instanceof Error ? error.message.split('\n')[0] : String(error),
      })
      later(() => replace(member), AGAIN_MS)
    })
  }

  // Newest first.
  let members: Member[] = [await join()]
  const current = (): Member =>
    members.find(({ registration }) => registration.isValid()) ?? (members[0] as Member)

  function rotate(): Promise<void> {
    rotating ??= (async () => {
      const next = await join()
      // Known from now on, so that whoever reads its evidence can encrypt to it; it signs once it was admitted.
      members = [next, ...members]
      // A proposal that is voted down leaves the old key where it is.
      await Promise.race([next.registration.ready, next.registration.ended])
      if (!next.registration.isValid()) return
      log('key_rotated', { key: next.key })
      for (const member of members) if (member !== next) retire(member)
    })().finally(() => {
      rotating = undefined
    })
    return rotating
  }

  function retire(member: Member): void {
    if (member.retired) return
    member.retired = true
    later(() => {
      member.registration.close()
      members = members.filter((other) => other !== member)
      log('key_retired', { key: member.key })
    }, overlapMs)
  }

  return {
    current,
    confidential: () => [...new Set([current(), ...members])],
    sign: (answer) => current().sign(answer),
    isValid: () => current().registration.isValid(),
    ready: (members[0] as Member).registration.ready,
    rotate,
    close() {
      closed = true
      for (const timer of timers) clearTimeout(timer)
      for (const { registration } of members) registration.close()
    },
  }
}
