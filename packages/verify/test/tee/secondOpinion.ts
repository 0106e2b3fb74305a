/** Independent verifiers of each kind, none of which shares code or libraries with ours, and how they are asked. */
import { join } from 'node:path'
import { bytesToHex } from 'viem'
import { readQuote } from '../../src/tee/dcap/quote.ts'
import type { Kind, Parts } from './fuzzTargets.ts'
import { startGoPeer } from './goPeer.ts'
import type { LinePeer } from './linePeer.ts'
import { startPythonPeer } from './pythonPeer.ts'
import type { RecordedEvidence } from './recordedEvidence.ts'
import { nrasJwks } from './simulatedNras.ts'

const scripts = join(import.meta.dirname, '../../scripts')

export type Verdict = {
  ok: boolean
  error?: string
  /** Of DCAP evidence that was accepted. */
  status?: string
  advisoryIds?: string[]
}

/** Who gives the second opinion on each kind. */
export const PEERS: Record<Kind, string> = {
  nitro: 'pyca/cryptography and cbor2 (Python)',
  dcap: 'dcap-qvl (Rust, by Phala)',
  snp: 'go-sev-guest (Go, by Google)',
  gpu: "NVIDIA's local GPU verifier (Python)",
  nras: 'PyJWT (Python)',
}

/** @param goTimeout for the first build of a Go program, milliseconds. A text says why there is no such peer here. */
export function startPeer(kind: Kind, goTimeout: number): LinePeer | string {
  if (kind === 'snp') return startGoPeer(join(scripts, 'goSevGuest'), goTimeout)
  const folders = { nitro: 'cryptographyPeer', dcap: 'dcapQvl', gpu: 'nvidiaPeer', nras: 'nvidiaPeer' }
  return startPythonPeer(join(scripts, folders[kind]))
}

const hex = (bytes: Uint8Array | undefined) => bytesToHex(bytes ?? new Uint8Array(0)).slice(2)

/** What the peer needs besides the parts: the root, the time, and what the kind wants. */
function context(evidence: RecordedEvidence): Record<string, unknown> {
  const now = Number(evidence.parameters.now)
  switch (evidence.kind) {
    case 'nitro':
      return { now, root: hex(evidence.root) }
    case 'dcap':
      return { now, root: hex(readQuote(evidence.evidence.quote).pckChain?.at(-1)) }
    case 'snp': {
      const product = /Turin|Genoa/.exec(evidence.name)?.[0] ?? 'Milan'
      return { now, product, root: hex(evidence.evidence.certificates[0]) }
    }
    case 'gpu':
      return { now, root: hex(evidence.evidence.certificates[0]) }
    case 'nras':
      return { now, jwks: nrasJwks, issuer: 'https://nras.attestation.nvidia.com' }
  }
}

/** What the peer makes of these parts in the place of the evidence's own. */
export async function secondOpinion(
  peer: LinePeer,
  evidence: RecordedEvidence,
  parts: Parts,
): Promise<Verdict> {
  // go-sev-guest fetches its revocation list itself, so a list in the evidence stays with us.
  const given = evidence.kind === 'snp' ? parts.slice(0, 4) : parts
  const request = { kind: evidence.kind, parts: given.map(hex), ...context(evidence) }
  return (await peer.ask(request)) as Verdict
}
