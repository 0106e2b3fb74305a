import type { CheckedPayment } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { GatewayChain } from '../chain/gatewayChain.ts'
import type { KnownBlock } from '../chain/usedNonces.ts'

/** As for a payer's funds: what the chain says changes only with a block. Whoever calls twice within that is busy. */
const FRESH_MS = 1000
/** Age at which the next reading begins, so that none of a busy payer's calls finds the last one too old. */
const REREAD_MS = 750
/** Age from which a block counts as one that every server of a provider has, all of its events told. */
const SETTLED_MS = 1500
/** Calls of a busy payer after which the chain is asked for all that he has used. */
const FIRST_LOOK = 8
const MAX_PAYERS = 10_000
/** Of all payers together; some 40 bytes each. */
const MAX_NONCES = 200_000

export type FreshNonces = {
  /** Whether the chain still takes a payment's nonce, as it was at most a second ago. */
  unused(payment: CheckedPayment): Promise<boolean>
}

type History = {
  /** Beginnings of all nonces that the payer has used. */
  used: Set<number>
  /** Up to which nothing is read again, and the next that is to be that. */
  since: SeenBlock
  next: SeenBlock
  /** When the reading began that it is of, `performance.now()`. */
  at: number
}
type SeenBlock = { block: KnownBlock; at: number }
type Payer = {
  calledAt: number
  calls: number
  /** When the last reading began. */
  readAt: number
  isReading: boolean
  history: History | undefined
}

/**
 * Knows which nonces busy payers have used, so that the chain need not be asked in each of their calls: by the token's
 * events (EIP-3009), read about once a second while they call. That they name a nonce nowhere is believed for a second. Where
 * they name it the chain itself is asked, for the block that used it may be gone again; and of Permit2 it is always asked,
 * which tells nobody of a nonce that it used.
 */
export function createFreshNonces(
  chain: Pick<GatewayChain, 'nonceUnused' | 'noncesUsedBy'>,
  { maxPayers = MAX_PAYERS, maxNonces = MAX_NONCES } = {},
): FreshNonces {
  /** By address, lower case; the one that was silent for longest is the first. */
  const payers = new Map<string, Payer>()
  let kept = 0

  function forget(key: string): void {
    kept -= payers.get(key)?.history?.used.size ?? 0
    payers.delete(key)
  }
  function makeRoom(): void {
    for (const key of payers.keys()) {
      if (payers.size <= maxPayers && kept <= maxNonces) return
      forget(key)
    }
  }
  /** @throws where the chain does not tell */
  async function read(key: string, payer: Payer): Promise<void> {
    const at = performance.now()
    const found = await chain.noncesUsedBy(key as Address, payer.history?.since.block)
    if (payers.get(key) !== payer) return
    if (found === undefined) return forget(key)
    const { used } = payer.history ?? { used: new Set<number>() }
    kept -= used.size
    for (const nonce of found.nonces) used.add(beginningOf(nonce))
    kept += used.size
    const seen = { block: found.known, at }
    const { since, next } = payer.history ?? { since: seen, next: seen }
    const isSettled = at - next.at >= SETTLED_MS
    payer.history = { used, at, since: isSettled ? next : since, next: isSettled ? seen : next }
    makeRoom()
  }
  /** Reads behind a call of a busy payer, where it is time. */
  function follow(key: string, payer: Payer, now: number): void {
    payer.calls++
    const isTime = payer.history === undefined ? isTurn(payer.calls) : now - payer.readAt >= REREAD_MS
    if (!isTime || payer.isReading) return
    payer.isReading = true
    payer.readAt = now
    read(key, payer)
      .catch(() => {
        // What has become too long for one answer stays so: from here on it is tried as of somebody new.
        if (payer.history !== undefined && !isFresh(payer.history) && payers.get(key) === payer) forget(key)
      })
      .finally(() => {
        payer.isReading = false
      })
  }
  /** False where nothing is known. */
  function isKnownUnused({ payer: address, paymentNonce }: CheckedPayment): boolean {
    const key = address.toLowerCase()
    const now = performance.now()
    const payer = payers.get(key) ?? newPayer()
    payers.delete(key)
    payers.set(key, payer)
    makeRoom()
    if (now - payer.calledAt < FRESH_MS) follow(key, payer, now)
    payer.calledAt = now
    const { history } = payer
    return history !== undefined && isFresh(history) && !history.used.has(beginningOf(paymentNonce))
  }
  return {
    async unused(payment) {
      return (payment.scheme === 'exact' && isKnownUnused(payment)) || chain.nonceUnused(payment)
    },
  }
}

const newPayer = (): Payer => {
  return { calledAt: 0, calls: 0, readAt: 0, isReading: false, history: undefined }
}
const isFresh = ({ at }: History): boolean => performance.now() - at < FRESH_MS

/** So many bits of a nonce as a number holds: for one that begins like another the chain is asked. */
const beginningOf = (nonce: Hex): number => Number.parseInt(nonce.slice(2, 14), 16)

/** At `FIRST_LOOK` calls and, where the chain does not tell, at each doubling. */
const isTurn = (calls: number): boolean => calls >= FIRST_LOOK && (calls & (calls - 1)) === 0
