import type { BatchView } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { ValidatorCall, ValidatorCalls, ValidatorChain } from './validatorChain.ts'
import type { Voices } from './voices.ts'

export type DeliveryContext = {
  operator: Address
  chain: Pick<ValidatorChain, 'hasAttested' | 'wouldSucceed'>
  calls: Pick<ValidatorCalls, 'attest'>
  voices: Voices
  send: (call: ValidatorCall) => Promise<void>
  turns: Map<string, bigint>
  log: (event: string, facts: Record<string, unknown>) => void
}

/** Seconds that the first to deliver waits for its peers, who may still be reading the file. */
const GATHER_SECONDS = 4n
/** Seconds from one validator's turn to the next. */
const TURN_SECONDS = 2n

/** Under this name `turns` says since when a voice has waited to be delivered. */
export function deliveryTurn(batchId: Hex): string {
  return `deliver ${batchId}`
}

/**
 * Brings a voice on chain: the validator whose turn it is delivers its peers' with its own, the others see theirs delivered.
 * Nobody depends on that: whoever's voice is not there when its turn comes delivers it itself. To be called again until it is.
 * @param own the signature, and the digest that it is of
 */
export async function deliverVoice(
  batch: BatchView,
  own: { verdict: number; signature: Hex; digest: Hex },
  now: bigint,
  context: DeliveryContext,
): Promise<void> {
  const { voices, turns, chain, calls, operator } = context
  const { batchId } = batch
  const { verdict, signature, digest } = own
  voices.hold(batchId, { verdict, signature })
  const turn = deliveryTurn(batchId)
  const since = turns.get(turn) ?? now
  turns.set(turn, since)
  const place = voices.placeAt(batchId)
  const waited = now >= since + GATHER_SECONDS + TURN_SECONDS * place
  if (place > 0n && !waited) return
  const theirs = await voices.gather(batchId, verdict, digest)
  if (theirs.length < voices.peers && !waited) return
  // Of a peer that never registered the chain knows no answer: its voice is left to itself.
  const counted = await Promise.all(
    theirs.map((voice) => chain.hasAttested(batchId, voice.operator).catch(() => true)),
  )
  const missing = theirs.filter((_, at) => !counted[at])
  const all = [...missing, { operator: operator.toLowerCase() as Address, signature }]
    // The contract wants signers to ascend.
    .sort((a, b) => (a.operator < b.operator ? -1 : 1))
  const together = calls.attest(
    batch,
    verdict,
    all.map((voice) => voice.signature),
  )
  // One voice that the contract refuses (too little stake, just counted) must not hold up the others.
  const call =
    all.length === 1 || (await chain.wouldSucceed(together, operator))
      ? together
      : calls.attest(batch, verdict, [signature])
  await context.send(call)
  turns.delete(turn)
  context.log('attested', { batchId, verdict, voices: call.args[4].length })
}
