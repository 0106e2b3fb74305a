import type { fetchBounded } from '@assay/chain'
import { recoverSigner } from '@assay/protocol'
import type { Address, Hex } from 'viem'

/** What a validator says about a batch: its signature of the attestation with this verdict. */
export type Voice = { verdict: number; signature: Hex }
export type SignedVoice = { operator: Address; signature: Hex }

/** Where a validator serves its voice on a batch, under its URL. */
export const VOICE_PATH = '/v1/attestations/'
const MAX_VOICE_BYTES = 512
/** Batches whose voices are kept for peers: they ask within seconds. */
const MAX_HELD = 1024
const SIGNATURE = /^0x[0-9a-f]{130}$/

type Peer = { operator: Address; url: string }

/**
 * The voices of a network's validators: one's own, kept for peers to fetch, and theirs, fetched and checked. So one
 * transaction can deliver all: each that is sent alone costs half as much as three together.
 * @param fetch one GET; its errors mean that the peer has nothing to say yet
 */
export function voicesOf(parameters: {
  operator: Address
  /** All validators of the network, this one included or not. */
  validators: readonly Peer[]
  fetch: (url: string, maxBytes: number) => ReturnType<typeof fetchBounded>
}) {
  const self = parameters.operator.toLowerCase()
  const all = parameters.validators.map(({ operator, url }) => ({
    operator: operator.toLowerCase() as Address,
    url: url.replace(/\/+$/, ''),
  }))
  const order = all.map(({ operator }) => operator).sort()
  const peers = all.filter(({ operator }) => operator !== self)
  const held = new Map<Hex, Voice>()

  async function ask(
    peer: Peer,
    batchId: Hex,
    verdict: number,
    digest: Hex,
  ): Promise<SignedVoice | undefined> {
    try {
      const bytes = await parameters.fetch(`${peer.url}${VOICE_PATH}${batchId}`, MAX_VOICE_BYTES)
      const said = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Voice> | null
      const signature = said?.signature
      if (said?.verdict !== verdict || typeof signature !== 'string' || !SIGNATURE.test(signature))
        return undefined
      const signer = await recoverSigner(digest, signature)
      return signer === peer.operator ? { operator: peer.operator, signature } : undefined
    } catch {
      return undefined
    }
  }

  return {
    peers: peers.length,
    hold(batchId: Hex, voice: Voice): void {
      held.set(batchId, voice)
      const [oldest] = held.keys()
      if (held.size > MAX_HELD && oldest !== undefined) held.delete(oldest)
    },
    /** JSON for a peer that asks for this path; undefined where there is nothing to say. */
    answer(path: string): string | undefined {
      const voice = path.startsWith(VOICE_PATH) ? held.get(path.slice(VOICE_PATH.length) as Hex) : undefined
      return voice === undefined ? undefined : JSON.stringify(voice)
    },
    /** Those peers that have signed the same. */
    async gather(batchId: Hex, verdict: number, digest: Hex): Promise<SignedVoice[]> {
      const voices = await Promise.all(peers.map((peer) => ask(peer, batchId, verdict, digest)))
      return voices.filter((voice) => voice !== undefined)
    },
    /** How many validators come before this one at delivering the voices on a batch: each batch begins with another. */
    placeAt(batchId: Hex): bigint {
      const at = order.indexOf(self as Address)
      if (at === -1) return 0n
      const count = BigInt(order.length)
      return (BigInt(at) - (BigInt(batchId) % count) + count) % count
    },
  }
}

export type Voices = ReturnType<typeof voicesOf>
