/** Validators alone, on a real chain: they find each fault, prove it, and end with the money where it belongs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createSender } from '@assay/chain'
import {
  batchIdOf,
  canonicalJsonBytes,
  challengeIdOf,
  chunkTree,
  DATA_PART,
  dataChallengeAbi,
  FAULT_CLASS,
  faultIdOf,
  groupHeaders,
  nodeEquivocationKey,
  opgAbi,
  overchargeKey,
  parseCanonicalJson,
  statedBatch,
  VERDICT,
  validatorEquivocationKey,
} from '@assay/protocol'
import { BATCH_STATE, PAYMENT_STATE } from '@assay/verify'
import { type Hex, parseEther, toHex } from 'viem'
import { BOND, ROGUE } from '../../../test/faults/faultChain.ts'
import { rootOver } from '../../../test/faults/rootOver.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
})
after(() => on.close())

const opg = parseEther
/** Seconds for which validators wait for a file before they demand it, and past DATA_RESPONSE of an unhurried chain. */
const [PATIENCE, PAST_RESPONSE] = [600 + 5, 1800 + 5]
/** What is left after `compensation` goes to the prover, the treasury, and nowhere: 20%, 30%, and the rest. */
function shares(taken: bigint, compensation = 0n) {
  const rest = taken - compensation
  const bounty = (rest * 20n) / 100n
  const insured = (rest * 30n) / 100n
  return { compensation, bounty, insured, burned: rest - bounty - insured }
}
const at = (faultId: Hex) => (facts: Record<string, unknown>) => facts.faultId === faultId
const paymentState = async (requestId: Hex) =>
  (await on.client.readContract({ ...on.escrow, functionName: 'payment', args: [requestId] }))[5]
const creditOf = (account: Hex) =>
  on.client.readContract({ ...on.escrow, functionName: 'credit', args: [account] })

test('class 1: forged receipts void their batch, refund each payer, and cost the committer half its bond', async () => {
  const [validator] = on.validators
  assert.ok(validator)
  const [first, second] = [await on.paid(opg('3')), await on.paid(opg('2'))]
  const forged = [await on.signed({ requestId: first }, ROGUE), await on.signed({ requestId: second }, ROGUE)]
  const batchId = await on.commit(await on.among(...forged))
  const faultId = faultIdOf(FAULT_CLASS.tee, batchId)
  const [wallet, credit] = [await on.balanceOf(validator.address), await creditOf(on.role('demo').address)]
  const watching = await on.watch(0)
  const { bounty } = await watching.said('fault collected', at(faultId))
  await watching.close()
  assert.equal(bounty, opg('100'))
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  assert.deepEqual(
    [await paymentState(first), await paymentState(second)],
    [PAYMENT_STATE.refunded, PAYMENT_STATE.refunded],
  )
  assert.equal((await creditOf(on.role('demo').address)) - credit, opg('5'))
  assert.deepEqual(await on.proceedsOf(faultId), [{ prover: validator.address, ...shares(BOND / 2n) }])
  assert.equal((await on.balanceOf(validator.address)) - wallet, opg('100'))
})

test('class 6: of two validators that race, one earns the bounty and the other ends cleanly', async () => {
  const batch = await on.among()
  const [header, ...rest] = groupHeaders(batch)
  assert.ok(header)
  const lying = [{ ...header, sum: header.sum + opg('1'), exposure: header.exposure + opg('1') }, ...rest]
  const batchId = batchIdOf({ ...batch.header, root: rootOver(lying) })
  await on.commit(batch, { groups: lying, batchId })
  const faultId = faultIdOf(FAULT_CLASS.sum, batchId)
  const racing = await Promise.all([on.watch(0), on.watch(1)])
  const ends = await Promise.all(
    racing.map(({ said }) =>
      Promise.race([
        said('fault collected', at(faultId)).then(() => 'collected'),
        said('fault outrun', at(faultId)).then(() => 'outrun'),
      ]),
    ),
  )
  await Promise.all(racing.map((watching) => watching.close()))
  assert.deepEqual(ends.toSorted(), ['collected', 'outrun'])
  const winner = racing[ends.indexOf('collected')]?.operator
  assert.deepEqual(await on.proceedsOf(faultId), [{ prover: winner, ...shares(BOND / 2n) }])
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
})

test('class 7: a row that is not its receipts’, and an overcharge, for which the node pays as well', async () => {
  const honest = await on.among()
  const file = parseCanonicalJson(honest.file, honest.file.length) as { rows: { payer: string }[] }
  const [row] = file.rows
  assert.ok(row)
  row.payer = `0x${'9'.repeat(40)}`
  const batch = statedBatch(canonicalJsonBytes(file as never))
  const misplaced = faultIdOf(FAULT_CLASS.row, await on.commit(batch))
  const watching = await on.watch(0)
  await watching.said('fault collected', at(misplaced))
  assert.deepEqual(await on.proceedsOf(misplaced), [{ prover: watching.operator, ...shares(BOND / 2n) }])

  const dear = await on.signed({ price: opg('2') + 1n })
  const batchId = await on.commit(await on.among(dear))
  const overcharge = faultIdOf(FAULT_CLASS.row, overchargeKey(batchId, dear.receipt.node))
  await watching.said('fault collected', at(overcharge))
  assert.deepEqual(await on.proceedsOf(overcharge), [{ prover: watching.operator, ...shares(BOND) }])
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  await watching.close()
})

test('class 3: a node that signs twice under one number in two batches loses its whole bond', async () => {
  const [paidFirst, requestId] = [await on.paid(opg('2')), await on.paid(opg('2'))]
  const first = await on.signed({ requestId: paidFirst })
  const second = await on.signed({ seq: first.receipt.seq, requestId })
  const watching = await on.watch(0)
  const earlier = await on.commit(await on.among(first))
  await watching.said('attested', (facts) => facts.batchId === earlier)
  const later = await on.commit(await on.among(second))
  const faultId = faultIdOf(FAULT_CLASS.equivocation, nodeEquivocationKey(first.receipt))
  await watching.said('fault collected', at(faultId))
  await watching.close()
  assert.deepEqual(await on.proceedsOf(faultId), [{ prover: watching.operator, ...shares(BOND) }])
  assert.equal(await on.stateOf(later), BATCH_STATE.void)
  // Nobody can tell which of the two the node would have kept: neither payer pays.
  assert.equal(await paymentState(requestId), PAYMENT_STATE.refunded)
  assert.equal(await paymentState(paidFirst), PAYMENT_STATE.refunded)
  assert.notEqual(await on.stateOf(earlier), BATCH_STATE.void)
})

test('class 4: a file that nobody serves is demanded, and what is shown in time costs only the bond', async () => {
  const { contracts } = on.network
  const challenges = { address: contracts.DataChallenge, abi: dataChallengeAbi } as const
  const [validator] = on.validators
  assert.ok(validator)
  const watching = await on.watch(0)
  const batchId = await on.commit(await on.among(), { served: false })
  const faultId = faultIdOf(FAULT_CLASS.data, batchId)
  const wallet = await on.balanceOf(validator.address)
  await on.devnet.admin('evm_increaseTime', [PATIENCE])
  await watching.said('fault demanded', at(faultId))
  assert.equal(wallet - (await on.balanceOf(validator.address)), opg('10'))
  await on.devnet.admin('evm_increaseTime', [PAST_RESPONSE])
  await watching.said('fault collected', at(faultId))
  assert.deepEqual(await on.proceedsOf(faultId), [{ prover: validator.address, ...shares(BOND / 20n) }])
  assert.equal((await on.balanceOf(validator.address)) - wallet, opg('10'))
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)

  const late = await on.among()
  await on.commit(late, { served: false })
  const demand = faultIdOf(FAULT_CLASS.data, late.batchId)
  await on.devnet.admin('evm_increaseTime', [PATIENCE])
  await watching.said('fault demanded', at(demand))
  const { chunk, siblings } = chunkTree(late.file).prove(0)
  await on.committer.send({
    ...challenges,
    functionName: 'show',
    args: [
      challengeIdOf(late.batchId, DATA_PART.chunk, 0n),
      BigInt(late.file.length),
      toHex(chunk),
      siblings,
    ],
  })
  await watching.said('fault answered', at(demand))
  on.serve(late)
  const { verdict } = await watching.said('attested', (facts) => facts.batchId === late.batchId)
  assert.equal(verdict, VERDICT.valid)
  assert.deepEqual(await on.proceedsOf(demand), [])
  await watching.close()
})

test('class 4: a demand that its bond is lacking for is made as soon as it is there', async () => {
  const [, validator] = on.validators
  assert.ok(validator)
  const poor = createSender({ network: on.network, privateKey: validator.privateKey })
  const token = { address: on.network.contracts.OPG, abi: opgAbi } as const
  await poor.send({
    ...token,
    functionName: 'transfer',
    args: [on.bank.address, await on.balanceOf(validator.address)],
  })
  const watching = await on.watch(1)
  const batchId = await on.commit(await on.among(), { served: false })
  const faultId = faultIdOf(FAULT_CLASS.data, batchId)
  await on.devnet.admin('evm_increaseTime', [PATIENCE])
  const { bond, balance } = await watching.said('fault unfunded', at(faultId))
  assert.deepEqual([bond, balance], [opg('10'), 0n])
  await on.bank.send({ ...token, functionName: 'transfer', args: [validator.address, opg('10')] })
  await watching.said('fault demanded', at(faultId))
  await on.devnet.admin('evm_increaseTime', [PAST_RESPONSE])
  await watching.said('fault collected', at(faultId))
  await watching.close()
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
})

test('class 3: a validator whose yes was not counted, and who then says no, loses all it has', async () => {
  // More at risk than half the stake of a validator covers.
  const risky = await on.signed({ valueAtRisk: opg('600') })
  const batchId = await on.commit(await on.among(risky), { bond: opg('1300') })
  await on.attestFalsely(batchId, 2, VERDICT.valid)
  await on.attestFalsely(batchId, 2, VERDICT.invalid)
  const [, , liar] = on.validators
  const { committer, height } = await on.client.readContract({
    ...on.settlement,
    functionName: 'batch',
    args: [batchId],
  })
  const faultKey = validatorEquivocationKey(liar?.address as Hex, committer, height)
  const faultId = faultIdOf(FAULT_CLASS.equivocation, faultKey)
  const watching = await on.watch(0)
  await watching.said('fault collected', at(faultId))
  await watching.close()
  const [shares] = await on.proceedsOf(faultId)
  assert.deepEqual(
    [shares?.prover, shares?.bounty, shares?.insured, shares?.burned],
    [watching.operator, opg('200'), opg('300'), opg('500')],
  )
})
