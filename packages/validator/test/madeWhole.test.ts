/** Who lost by a lie that was not theirs has it back: a gateway its fee, a payer what a final batch took under its grant. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readBatchHistory } from '@assay/chain'
import {
  FAULT_CLASS,
  faultIdOf,
  grantRows,
  nodeEquivocationKey,
  settlementAbi,
  spendingGrantsAbi,
  VERDICT,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Address, type Hex, parseEther } from 'viem'
import { ROGUE } from '../../../test/faults/faultChain.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
})
after(() => on.close())

const creditOf = (account: Address) =>
  on.client.readContract({ ...on.faults, functionName: 'credit', args: [account] })

async function collected(faultId: Hex): Promise<void> {
  const watching = await on.watch(0)
  await watching.said('fault collected', (said) => said.faultId === faultId)
  await watching.close()
}

test('the fee that a vote took from a gateway for its node’s two answers comes back out of the node’s bond', async () => {
  const first = await on.signed()
  const second = await on.signed({ seq: first.receipt.seq })
  const batchId = await on.commit(await on.among(first, second))
  for (const which of [1, 2]) await on.attestFalsely(batchId, which, VERDICT.invalid)
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  const fee = await on.client.readContract({
    address: on.network.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'voidFeeOf',
    args: [batchId],
  })
  assert.ok(fee > 0n)
  const faultId = faultIdOf(FAULT_CLASS.equivocation, nodeEquivocationKey(first.receipt))
  await collected(faultId)
  assert.equal(await creditOf(on.committer.address), fee)
  const history = await readBatchHistory(on.client, on.network, batchId)
  assert.deepEqual(history?.voidFee, { charged: fee, owed: { faultId, amount: fee } })
})

test('a call under a grant that no key signed, in a batch that was made final, is paid back to the grant’s payer', async () => {
  const price = parseEther('2')
  await on.fundGrant(parseEther('10'))
  const batch = await on.among(await on.granted(1n), await on.granted(2n, {}, ROGUE))
  const batchId = await on.commit(batch)
  for (const which of [1, 2]) await on.attestFalsely(batchId, which)
  await on.devnet.admin('evm_increaseTime', [6])
  await on.committer.send({
    address: on.network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    functionName: 'settle',
    args: [batchId, grantRows(batch)],
  })
  assert.equal(await on.stateOf(batchId), BATCH_STATE.final)
  const payer = on.role('demo').address
  const before = await creditOf(payer)
  await collected(faultIdOf(FAULT_CLASS.tee, batchId))
  assert.equal((await creditOf(payer)) - before, price)
})
