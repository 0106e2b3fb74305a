import assert from 'node:assert/strict'
import { publicClientOf, readBatch } from '@assay/chain'
import { FAULT_CLASS, type SignedReceipt } from '@assay/protocol'
import type { Hex } from 'viem'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { buy, settled } from '../../money.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer, type Player } from '../liar.ts'
import { payingBatch } from '../payersWhole.ts'
import type { Scene } from '../scene.ts'
import type { Stage } from '../stage.ts'

/** The honest gateway may batch an answer before the copier has; then the copier tries the next. */
const TRIES = 4

/** A committer that batches others' receipts before their own gateway can, and shows nobody what it holds. */
export const copying: Scene = {
  name: 'copying',
  title: "A stranger batches others' receipts and hides them",
  async play(stage) {
    const { network, payer, tell } = stage
    const copier = await createPlayer(stage, CAST.copier)
    for (let at = 1; at <= TRIES; at++) {
      const copied = await Promise.all([buy(network, payer.privateKey), buy(network, payer.privateKey)])
      const batch = copier.build(copied)
      const hash = await copier.commit(batch)
      if (!(await paidLater(stage, batch.batchId, copied))) continue
      tell('Two answers are bought from the honest gateway; their receipts are copied on the way.')
      tell(`The copier commits them as its own batch, of which it serves nobody a byte: ${hash}`)
      const paying = copied.map(({ receipt }) => payingBatch(stage, receipt.requestId))
      for (const batchId of new Set((await Promise.all(paying)).map((paid) => paid?.batchId))) {
        tell(`Their own gateway commits them later, in batch ${batchId}, which pays for them, once.`)
      }
      const justice = await justiceOn(network, batch.batchId)
      assert.equal(justice.fault.faultClass, FAULT_CLASS.data)
      assertOnlyCopierPays(justice.fault.operators, copier)
      assert.deepEqual(justice.fault.refunds, [], 'nobody paid the copier')
      return { justice, requests: copied.map(({ receipt }) => receipt.requestId) }
    }
    return assert.fail('the copier was never faster than the gateway')
  },
}

/** Waits until both answers are paid for. @returns whether by batches that were committed after the copy */
async function paidLater(stage: Stage, copy: Hex, copied: readonly SignedReceipt[]): Promise<boolean> {
  const { network } = stage
  const lie = await readBatch(publicClientOf(network), network, copy)
  let later = true
  for (const { receipt } of copied) {
    await settled(network, receipt.requestId)
    assert.deepEqual(await paymentOf(network, receipt.requestId), {
      state: PAYMENT.paid,
      amount: receipt.price,
    })
    const paying = await payingBatch(stage, receipt.requestId)
    assert.equal(paying?.committer.toLowerCase(), receipt.committer)
    later &&= lie !== null && paying !== undefined && paying.committedBlock > lie.committedBlock
  }
  return later
}

function assertOnlyCopierPays(operators: readonly { operator: Hex }[], copier: Player): void {
  assert.deepEqual(
    operators.map(({ operator }) => operator),
    [copier.address],
  )
}
