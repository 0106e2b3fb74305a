/** Our verdicts on mutants beside those of independent verifiers; each difference must be one whose cause is known. */
import { readQuote } from '../../src/tee/dcap/quote.ts'
import { encodeCoseSign1, parseCoseSign1 } from '../../src/tee/nitro/cose.ts'
import { fuzzEvidence } from './fuzzEvidence.ts'
import { type FuzzTarget, fuzzTarget, type Parts } from './fuzzTargets.ts'
import type { LinePeer } from './linePeer.ts'
import type { RecordedEvidence } from './recordedEvidence.ts'
import { type Peer, secondOpinion } from './secondOpinion.ts'

/** A certificate without what stands behind its outermost SEQUENCE, whose two-byte length all these have. */
function withoutTail(certificate: Uint8Array): Uint8Array {
  const [tag, form, high, low] = certificate
  if (tag !== 0x30 || form !== 0x82) return certificate
  return certificate.subarray(0, 4 + (high as number) * 256 + (low as number))
}

/** A token whose signature holds nothing but base64url. */
function withoutStrays(token: Uint8Array): Uint8Array {
  const text = Buffer.from(token).toString('latin1')
  const at = text.lastIndexOf('.') + 1
  const clean = text.slice(0, at) + text.slice(at).replace(/[^A-Za-z0-9_-]/g, '')
  return new Uint8Array(Buffer.from(clean, 'latin1'))
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g
const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const bodies = (bytes: Uint8Array) =>
  [...latin(bytes).matchAll(CERTIFICATE)].map(([, body]) => body?.replace(/\s/g, ''))

/** Whether two texts hold the same first certificates. */
function sameStart(a: Uint8Array, b: Uint8Array, count: number): boolean {
  const [first, second] = [bodies(a).slice(0, count), bodies(b).slice(0, count)]
  return first.length === count && first.every((body, at) => body === second[at])
}

function quoteRestored(mutant: Uint8Array, original: Uint8Array): Uint8Array {
  const certificates = latin(original).indexOf('-----BEGIN')
  const size = certificates - 4
  // With its size, since a smaller one may leave out the root, which stands last.
  const quote = sameStart(mutant.subarray(certificates), original.subarray(certificates), 2)
    ? Uint8Array.from([...mutant.subarray(0, size), ...original.subarray(size)])
    : new Uint8Array(mutant)
  const { version, signed } = readQuote(original)
  const type = signed.length + 4 + 128
  if (version > 3 && quote.length > type + 2) quote.set(original.subarray(type, type + 2), type)
  return quote
}

function dcapRestored(mutant: Parts, original: Parts): Parts {
  return mutant.map((part, at) => {
    const was = original[at] as Uint8Array
    if (at === 0) return quoteRestored(part, was)
    if (at === 7) return was
    return at > 7 && sameStart(part, was, 1) ? was : part
  })
}

/**
 * The mutant with what its peer never reads put back as it was:
 * - Nitro: cbor2 (Python) takes every encoding of the same four members; we take the one that enclaves write.
 * - DCAP: dcap-qvl takes the issuer of the PCK revocation list from the quote and the root that it was given, so it reads
 *   neither in the evidence; nor text around certificates, nor bytes behind the quote, nor of what type the certification
 *   data around the QE report is.
 * - SEV-SNP: go-sev-guest is given no revocation list (it fetches its own).
 * - GPU: OpenSSL, under NVIDIA's verifier, ignores bytes behind a certificate.
 * - NRAS: Python's base64, under PyJWT, ignores characters outside its alphabet; within a signature nothing else minds.
 */
function withUnreadRestored({ kind, parts: original }: FuzzTarget, mutant: Parts): Parts {
  if (kind === 'nitro') {
    try {
      return [encodeCoseSign1(parseCoseSign1(mutant[0] as Uint8Array))]
    } catch {
      return mutant
    }
  }
  if (kind === 'dcap') return dcapRestored(mutant, original)
  if (kind === 'snp') return mutant.map((part, at) => (at === 4 ? (original[4] as Uint8Array) : part))
  if (kind === 'gpu') return mutant.map((part, at) => (at === 0 ? part : withoutTail(part)))
  if (kind === 'nras') return mutant.map((token) => withoutStrays(token))
  return mutant
}

export type Comparison = {
  mutants: number
  agreed: number
  /** Refused by us alone, for something that the peer does not read; by our failed step. */
  stricter: Record<string, number>
  unexplained: string[]
}

/** Compares on the evidence that this peer takes as it is, and on about `count` mutants of it, evenly. */
export async function compareEvidence(
  line: LinePeer,
  peer: Peer,
  evidence: readonly RecordedEvidence[],
  count: number,
  seed: number,
): Promise<Comparison> {
  const result: Comparison = { mutants: 0, agreed: 0, stricter: {}, unexplained: [] }
  const taken = evidence.filter((one) => one.kind === peer.kind && (peer.takes?.(one) ?? true))
  const each = Math.ceil(count / Math.max(taken.length, 1))
  for (const one of taken) {
    const target = fuzzTarget(one)
    const sound = await secondOpinion(line, peer, one, target.parts)
    if (!sound.ok || !target.judge(target.parts).ok) {
      result.unexplained.push(`${one.name} as it is: they say ${sound.error ?? 'accepted'}`)
    }
    for (const { parts, judgement } of fuzzEvidence([target], each, seed)) {
      result.mutants++
      const verdict = await secondOpinion(line, peer, one, parts)
      if (verdict.ok === judgement.ok) result.agreed++
      else if (verdict.ok && target.judge(withUnreadRestored(target, parts)).ok) {
        const step = judgement.failed ?? ''
        result.stricter[step] = (result.stricter[step] ?? 0) + 1
      } else {
        const difference = verdict.ok
          ? `only we refuse: ${judgement.failed}`
          : `only they refuse: ${verdict.error}`
        result.unexplained.push(`${one.name}: ${difference}`)
      }
    }
  }
  return result
}
