import {
  AssayError,
  batchIdOf,
  MAX_AGE_SECONDS,
  MODE,
  rootOfSingle,
  type SignedReceipt,
} from '@assay/protocol'
import { BATCH_STATE, PAYMENT_STATE } from '@assay/verify'
import { type Address, type Hex, zeroHash } from 'viem'
import type { FindInclusion } from './findInclusion.ts'
import type { ForceChain } from './forceChain.ts'
import type { Forcing, InclusionStore } from './inclusionStore.ts'

/** Time that a batch in flight when `includeBy` passes gets to be mined, seconds. */
const FORCE_DELAY = 60n
/** Time that a forced receipt needs to be mined before it is too old for any batch, seconds. */
const MINING = 300n
/** Receipts looked at in one round, each a few reads. */
const MAX_LOOKS = 64
/** Looks that must agree before a height counts as lost to another batch: two reads may come from two views. */
const SUPERSEDED_LOOKS = 4

export type ForceReceiptsParameters = {
  chain: ForceChain
  store: InclusionStore
  findInclusion: FindInclusion
  /** Operator in whose name receipts are forced in. */
  operator: Address
  /** Least price of a receipt that is worth the gas, OPG base units. */
  minPrice: bigint
  log: (event: string, facts: Record<string, unknown>) => void
}

/**
 * Puts those of the node's receipts on chain that its gateways left out: after `includeBy` anybody may. What is done is
 * compared with the chain at each round and what is missing is repeated, so the process may die at any point; a receipt
 * that is being forced has its height on disk first, and the chain takes one batch a height.
 */
export function createForcer(parameters: ForceReceiptsParameters): () => Promise<void> {
  const { chain, store, findInclusion, operator, minPrice, log } = parameters
  const superseded = new Map<Hex, number>()
  /** Where the last round's looks ended; the next goes on from there, so that no unpaid receipt stands in the way. */
  let last: SignedReceipt | undefined

  function end(requestId: Hex, outcome: string): void {
    store.done(requestId, outcome)
    log('force_ended', { requestId, outcome })
  }

  /** Whether money waits for this receipt; it is done with where none ever will. */
  async function isOwed({ receipt }: SignedReceipt): Promise<boolean> {
    const { requestId } = receipt
    if (receipt.price < minPrice || receipt.price === 0n) {
      store.done(requestId, 'not worth the gas')
      return false
    }
    const payment = await chain.payment(requestId)
    if (payment.state === PAYMENT_STATE.paid) store.done(requestId, 'paid')
    else if (payment.state === PAYMENT_STATE.refunded) store.done(requestId, 'refunded')
    else if (payment.state === PAYMENT_STATE.locked) {
      const own =
        payment.payer.toLowerCase() === receipt.payer.toLowerCase() &&
        payment.gateway.toLowerCase() === receipt.committer.toLowerCase()
      if (own) return true
      end(requestId, 'the payment is another')
    }
    // Not collected: there is nothing to earn yet.
    return false
  }

  async function send({ signed, height, batchId }: Forcing): Promise<void> {
    const { requestId } = signed.receipt
    try {
      await chain.force(height, signed)
      log('receipt_forced', { requestId, batchId, height })
    } catch (error) {
      const refused = error instanceof AssayError && error.code === 'conflict' ? error.facts.error : undefined
      // Refused (the bond covers no more, say): the height is free for another, and this one's turn comes again. Not so
      // where the height is taken: most likely by this very receipt, which only the chain's state tells.
      if (refused !== undefined && refused !== 'HeightTaken') store.reopen(batchId)
      throw error
    }
  }

  async function pushOn(forced: Forcing): Promise<void> {
    const { signed, height, batchId } = forced
    const { requestId } = signed.receipt
    const batch = await chain.batch(batchId)
    if (batch === null) {
      if ((await chain.lastHeight()) < height) {
        return send(forced)
      }
      const looks = (superseded.get(batchId) ?? 0) + 1
      superseded.set(batchId, looks)
      if (looks >= SUPERSEDED_LOOKS) store.reopen(batchId)
      return
    }
    superseded.delete(batchId)
    switch (batch.state) {
      case BATCH_STATE.final: {
        const { state } = await chain.payment(requestId)
        if (state === PAYMENT_STATE.locked) await chain.settle(batchId, signed)
        else end(requestId, state === PAYMENT_STATE.paid ? 'paid' : 'refunded')
        return
      }
      case BATCH_STATE.void:
        return end(requestId, 'found invalid')
      case BATCH_STATE.expired:
        // No quorum came: once more, while it is young enough.
        return store.reopen(batchId)
    }
  }

  /** One that fails must not hold up the others. */
  async function attempt(forced: Forcing): Promise<void> {
    try {
      await pushOn(forced)
    } catch (error) {
      log('force_failed', { requestId: forced.signed.receipt.requestId, reason: reasonOf(error) })
    }
  }

  return async () => {
    for (const batchId of store.openBatches()) {
      const batch = await chain.batch(batchId)
      if (batch?.state === BATCH_STATE.final) store.settleBatch(batchId)
      const lost = batch === null || batch.state === BATCH_STATE.void || batch.state === BATCH_STATE.expired
      if (lost) store.reopen(batchId)
    }
    let pending = false
    for (const forced of store.allForcing()) {
      await attempt(forced)
      if ((await chain.batch(forced.batchId)) === null) pending = true
    }
    const now = await chain.now()
    const due = store.overdue(now - MAX_AGE_SECONDS, now - FORCE_DELAY, last, MAX_LOOKS)
    last = due.length < MAX_LOOKS ? undefined : due.at(-1)
    for (const signed of due) {
      const { requestId, issuedAt, mode } = signed.receipt
      // The proof does not fit into the transaction, and without it nobody attests.
      if (mode === MODE.zk) continue
      // No batch may hold it any more.
      if (issuedAt + MAX_AGE_SECONDS < now + MINING) continue
      if (!(await isOwed(signed))) continue
      const found = await findInclusion(signed)
      if (found !== undefined) {
        store.included(requestId, found)
        continue
      }
      // One at a time: the next height is known only once this one is taken.
      if (pending) continue
      const height = (await chain.lastHeight()) + 1n
      const batchId = batchIdOf({
        committer: operator,
        height,
        root: rootOfSingle(signed),
        dataHash: zeroHash,
      })
      const forced = { signed, height, batchId }
      store.forcing(forced)
      await attempt(forced)
      pending = (await chain.batch(batchId)) === null
    }
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
}
