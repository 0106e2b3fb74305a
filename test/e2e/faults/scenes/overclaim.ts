import assert from 'node:assert/strict'
import { batchIdOf, FAULT_CLASS, formatOpg, groupHeaders } from '@assay/protocol'
import { parseEther } from 'viem'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { rootOver } from '../../../faults/rootOver.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'
import { settledOnChain } from '../settledOnChain.ts'
import { billFor, pay, receiptFor } from '../stage.ts'

const SURPLUS = parseEther('10')

/** A committer whose batch claims more than its receipts are worth. */
export const overclaim: Scene = {
  name: 'overclaim',
  title: 'A gateway claims more than its receipts say',
  async play(stage) {
    const { network, tell } = stage
    const liar = await createPlayer(stage, CAST.overclaimer)
    const bill = await billFor(stage)
    const paid = await pay(stage, liar, bill)
    const by = { node: liar.address, key: liar.key, secret: liar.keySecret, gateway: liar }
    const entry = await receiptFor(stage, by, { ...paid, bill, seq: 1n })
    const batch = liar.build([entry])
    const claimed = groupHeaders(batch).map((group) => ({
      ...group,
      sum: group.sum + SURPLUS,
      exposure: group.exposure + SURPLUS,
    }))
    const batchId = batchIdOf({ ...batch.header, root: rootOver(claimed) })
    liar.publish(batchId, batch.file)
    const hash = await liar.commit(batch, claimed)
    tell(`Its receipt says ${formatOpg(bill.price)}; on chain it claims ${formatOpg(SURPLUS)} more: ${hash}`)
    const justice = await justiceOn(network, batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.sum)
    assert.deepEqual(
      justice.fault.operators.map(({ operator }) => operator),
      [liar.address],
    )
    // The receipt itself is honest: it waits, unpaid, for a batch that holds it and nothing more.
    assert.deepEqual(await paymentOf(network, paid.requestId), {
      state: PAYMENT.locked,
      amount: paid.value,
    })
    const corrected = liar.build([entry])
    liar.publish(corrected.batchId, corrected.file)
    await liar.commit(corrected)
    const refund = await settledOnChain(stage, liar, corrected, paid.requestId)
    assert.equal(refund, paid.value - bill.price)
    tell(
      `In an honest batch the same receipt is paid what it says, and the payer gets back the ${formatOpg(refund)} that were not due.`,
    )
    return { justice, requests: [paid.requestId] }
  },
}
