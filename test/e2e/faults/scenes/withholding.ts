import assert from 'node:assert/strict'
import { FAULT_CLASS } from '@assay/protocol'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import { refundWhenDue } from '../payersWhole.ts'
import type { Scene } from '../scene.ts'
import { billFor, pay, receiptFor } from '../stage.ts'

/** A gateway that was paid, and commits to data that it shows nobody. */
export const withholding: Scene = {
  name: 'withholding',
  title: 'A gateway hides the data of its batch',
  async play(stage) {
    const { network, tell } = stage
    const liar = await createPlayer(stage, CAST.withholder)
    const bill = await billFor(stage)
    const paid = await pay(stage, liar, bill)
    const by = { node: liar.address, key: liar.key, secret: liar.keySecret, gateway: liar }
    const batch = liar.build([await receiptFor(stage, by, { ...paid, bill, seq: 1n })])
    const hash = await liar.commit(batch)
    tell(`The gateway takes a payment and commits a batch whose file it serves nobody: ${hash}`)
    const justice = await justiceOn(network, batch.batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.data)
    assert.deepEqual(
      justice.fault.operators.map(({ operator }) => operator),
      [liar.address],
    )
    // Nobody has seen a receipt, so nobody can say that it was bad: the payer's money waits its time and goes back.
    assert.deepEqual(await paymentOf(network, paid.requestId), {
      state: PAYMENT.locked,
      amount: paid.value,
    })
    tell('The payment stays locked: nobody can take it, and nobody batches what it paid for.')
    await refundWhenDue(stage, paid.requestId)
    assert.deepEqual(await paymentOf(network, paid.requestId), {
      state: PAYMENT.refunded,
      amount: paid.value,
    })
    return { justice, requests: [paid.requestId] }
  },
}
