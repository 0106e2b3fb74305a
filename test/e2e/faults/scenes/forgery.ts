import assert from 'node:assert/strict'
import { developmentAccount } from '@assay/chain'
import { FAULT_CLASS } from '@assay/protocol'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { buy } from '../../money.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'
import { billFor, pay, receiptFor } from '../stage.ts'

const ROGUE = developmentAccount(CAST.forger)

/** A gateway that takes money for answers that nobody gave, and writes the receipts itself. */
export const forgery: Scene = {
  name: 'forgery',
  title: 'A gateway batches receipts that no node has signed',
  async play(stage) {
    const { network, payer, tell } = stage
    const forger = await createPlayer(stage, CAST.forger)
    const bill = await billFor(stage)
    // An honest answer first: it tells the forger what a receipt of the honest node looks like.
    const honest = await buy(network, payer.privateKey)
    const paid = [await pay(stage, forger, bill), await pay(stage, forger, bill)] as const
    tell(`The payer pays ${paid.length} requests into the forger's till; nobody answers them.`)
    const { node, key } = honest.receipt
    const by = { node, secret: ROGUE.privateKey, gateway: forger }
    const rogue = ROGUE.address.toLowerCase() as typeof key
    const unregistered = await receiptFor(stage, { ...by, key: rogue }, { ...paid[0], bill, seq: 1n })
    const garbled = await receiptFor(stage, { ...by, key }, { ...paid[1], bill, seq: 2n ** 40n })
    const batch = forger.build([unregistered, garbled])
    forger.publish(batch.batchId, batch.file)
    const hash = await forger.commit(batch)
    tell(
      `It commits one receipt under a key that nobody registered and one with the honest node's key but not its signature: ${hash}`,
    )
    const justice = await justiceOn(network, batch.batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.tee)
    assert.deepEqual(
      justice.fault.operators.map(({ operator }) => operator),
      [forger.address],
      'the node that was named pays nothing',
    )
    assert.equal(justice.fault.refunds.length, paid.length)
    for (const { requestId, value } of paid) {
      assert.deepEqual(await paymentOf(network, requestId), { state: PAYMENT.refunded, amount: value })
    }
    return { justice, requests: paid.map(({ requestId }) => requestId) }
  },
}
