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

export type Peer = {
  kind: Kind
  name: string
  /** @param goTimeout for the first build of a Go program, milliseconds. A text says why there is none here. */
  start(goTimeout: number): LinePeer | string
  /** How many of the evidence's parts it reads; all by default. */
  reads?: number
  /** Whether it can judge such evidence at all; it can by default. */
  takes?(evidence: RecordedEvidence): boolean
}

const python = (folder: string) => () => startPythonPeer(join(scripts, folder))

/** Who gives second opinions. */
export const PEERS: readonly Peer[] = [
  { kind: 'nitro', name: 'pyca/cryptography and cbor2 (Python)', start: python('cryptographyPeer') },
  { kind: 'dcap', name: 'dcap-qvl (Rust, by Phala)', start: python('dcapQvl') },
  {
    kind: 'snp',
    name: 'go-sev-guest (Go, by Google)',
    start: (goTimeout) => startGoPeer(join(scripts, 'goSevGuest'), goTimeout),
    // It fetches its revocation list itself, so a list in the evidence stays with us.
    reads: 4,
    // go-sev-guest 0.15 does not know the extensions of Turin's certificates.
    takes: ({ name }) => !name.includes('Turin'),
  },
  { kind: 'snp', name: 'pyca/cryptography (Python)', start: python('cryptographyPeer') },
  { kind: 'gpu', name: "NVIDIA's local GPU verifier (Python)", start: python('nvidiaPeer') },
  { kind: 'nras', name: 'PyJWT (Python)', start: python('nvidiaPeer') },
]

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
  line: LinePeer,
  { reads }: Peer,
  evidence: RecordedEvidence,
  parts: Parts,
): Promise<Verdict> {
  const request = { kind: evidence.kind, parts: parts.slice(0, reads).map(hex), ...context(evidence) }
  return (await line.ask(request)) as Verdict
}
