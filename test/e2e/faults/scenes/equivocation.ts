import assert from 'node:assert/strict'
import { FAULT_CLASS } from '@assay/protocol'
import { keccak256 } from 'viem'
import { bondOf, voidFeesOf } from '../../../faults/operators.ts'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'
import { billFor, pay, receiptFor } from '../stage.ts'

/** A node that gives two payers' requests one sequence number, so that one of the answers might vanish. */
export const equivocation: Scene = {
  name: 'equivocation',
  title: 'A node signs two answers under one number',
  async play(stage) {
    const { network, tell } = stage
    const [node, gateway] = await Promise.all([
      createPlayer(stage, CAST.twoAnswers),
      createPlayer(stage, CAST.gateway),
    ])
    const bill = await billFor(stage)
    const by = { node: node.address, key: node.key, secret: node.keySecret, gateway }
    const paid = [await pay(stage, gateway, bill), await pay(stage, gateway, bill)] as const
    const first = await receiptFor(stage, by, { ...paid[0], bill, seq: 7n })
    const second = await receiptFor(
      stage,
      by,
      { ...paid[1], bill, seq: 7n },
      { responseHash: keccak256('0x03') },
    )
    const bonded = await bondOf(network, gateway.address)
    tell('Through an innocent gateway the node sells two answers, and signs both as its number 7.')
    const batches = [gateway.build([first]), gateway.build([second])] as const
    for (const batch of batches) {
      gateway.publish(batch.batchId, batch.file)
      const hash = await gateway.commit(batch)
      tell(`Each goes into a batch of its own, where nothing is wrong with it: ${hash}`)
    }
    const justice = await justiceOn(network, batches[1].batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.equivocation)
    assert.deepEqual(
      justice.fault.operators.map(({ operator }) => operator),
      [node.address],
    )
    assert.equal(await bondOf(network, node.address), 0n, 'all of its bond')
    // The gateway could not know, and no fault is its; where votes are faster than the proof, its batch is void by vote,
    // and a vote does not tell whose doing it was.
    const left = await bondOf(network, gateway.address)
    assert.equal(left + (await voidFeesOf(network, gateway.address)), bonded, 'the gateway could not know')
    // Nobody knows which of the two the node would have kept, so neither payer pays for its answer.
    for (const { requestId, value } of paid) {
      assert.deepEqual(await paymentOf(network, requestId), { state: PAYMENT.refunded, amount: value })
    }
    return { justice, requests: paid.map(({ requestId }) => requestId) }
  },
}
