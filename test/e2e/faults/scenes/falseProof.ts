import assert from 'node:assert/strict'
import {
  type Batch,
  ENGINE_CLASS,
  FAULT_CLASS,
  formatOpg,
  receiptDigest,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Hex, parseEther } from 'viem'
import { admittedEnclave } from '../../../faults/enclaveKey.ts'
import { deploymentAt, outfit } from '../../../faults/operators.ts'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { draftReceipt } from '../../../faults/receipts.ts'
import { paymentScorer } from '../../../scoredPayment.ts'
import { attestFalsely } from '../attestFalsely.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'
import { billFor, pay, USAGE } from '../stage.ts'

const STAKE = parseEther('300')
/** The others may void a batch before the bribed one has spoken; then the liar tries the next. */
const TRIES = 4

/** A node that answers something else than its model: its prover lies in a layer and makes all the rest anew, the proof too. */
export const falseProof: Scene = {
  name: 'false-proof',
  title: 'A validator attests a forged proof',
  async play(stage) {
    const { network, payer, tell } = stage
    const liar = await createPlayer(stage, CAST.falseProver)
    const enclave = await admittedEnclave({
      ...{ network, operator: liar.sender, root: stage.simulatedRoot },
      publish: liar.publish,
      uri: (hash) => `${liar.url}/v1/batches/${hash}/data`,
    })
    const staking = { address: network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
    const witness = await outfit(network, CAST.bribed, STAKE, [staking.address])
    await witness.send({ ...staking, functionName: 'register', args: ['http://127.0.0.1:9', STAKE] })
    tell(
      `A node sells proved scores of card payments; a validator with ${formatOpg(STAKE)} has taken its bribe.`,
    )
    const bill = await billFor(stage, 'fraud-scorer')
    const { forgeScore } = paymentScorer()
    let attested: { batch: Batch; requestId: Hex; value: bigint } | undefined
    const requests: Hex[] = []
    for (let at = 1; attested === undefined && at <= TRIES; at++) {
      const paid = await pay(stage, liar, bill)
      requests.push(paid.requestId)
      const { receipt: stated, zk } = forgeScore(at)
      const receipt = await draftReceipt(network, {
        ...{ requestId: paid.requestId, payer: payer.address, committer: liar.address },
        ...{ node: liar.address, key: enclave.key, seq: BigInt(at), engineClass: ENGINE_CLASS.enclave },
        ...bill,
        ...USAGE,
        ...stated,
      })
      const signature = await enclave.sign(receiptDigest(receipt, deploymentAt(network)))
      const batch = liar.build([{ receipt, signature, zk }])
      liar.publish(batch.batchId, batch.file)
      const hash = await liar.commit(batch)
      if (await attestFalsely(network, batch, witness, CAST.bribed)) {
        attested = { batch, ...paid }
        tell(
          `It commits a score that its model does not give: its prover lied in the first layer and made all the rest anew (${hash}).`,
        )
        tell('The bribed validator signs: valid.')
      }
    }
    assert.ok(attested, 'the bribed validator spoke in time')
    const justice = await justiceOn(network, attested.batch.batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.zk)
    assert.deepEqual(
      justice.fault.validators.map(({ validator }) => validator),
      [witness.address],
    )
    assert.deepEqual(
      justice.fault.operators.map(({ operator }) => operator),
      [liar.address],
    )
    assert.deepEqual(await paymentOf(network, attested.requestId), {
      state: PAYMENT.refunded,
      amount: attested.value,
    })
    return { justice, requests }
  },
}
