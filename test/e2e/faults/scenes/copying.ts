import assert from 'node:assert/strict'
import { FAULT_CLASS } from '@assay/protocol'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { buy, settled } from '../../money.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'

/** A committer that batches others' receipts before their own gateway can, and shows nobody what it holds. */
export const copying: Scene = {
  name: 'copying',
  title: "A stranger batches others' receipts and hides them",
  async play(stage) {
    const { network, payer, tell } = stage
    const copier = await createPlayer(network, CAST.copier)
    try {
      const copied = [await buy(network, payer.privateKey), await buy(network, payer.privateKey)]
      tell('Two answers are bought from the honest gateway; their receipts are copied on the way.')
      const batch = copier.build(copied)
      const hash = await copier.commit(batch)
      tell(`The copier commits them as its own batch, of which it serves nobody a byte: ${hash}`)
      for (const { receipt } of copied) {
        await settled(network, receipt.requestId)
        assert.deepEqual(await paymentOf(network, receipt.requestId), {
          state: PAYMENT.paid,
          amount: receipt.price,
        })
      }
      tell('Meanwhile the batch of their own gateway became final, and both answers are paid from it, once.')
      const justice = await justiceOn(network, batch.batchId)
      assert.equal(justice.fault.faultClass, FAULT_CLASS.data)
      assert.deepEqual(
        justice.fault.operators.map(({ operator }) => operator),
        [copier.address],
      )
      assert.deepEqual(justice.fault.refunds, [], 'nobody paid the copier')
      return justice
    } finally {
      copier.close()
    }
  },
}
