/** A batch that is false on purpose: flagged, never attested, rewarded, and no excuse for anything else. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { canaryRegistryAbi, FAULT_CLASS, faultIdOf, VERDICT, validatorStakingAbi } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Hex, parseEther } from 'viem'
import { BOND } from '../../../test/faults/faultChain.ts'
import { closeCanary, dueToReveal, newCanary, revealCanary, sowAndCommit } from '../src/index.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
  await on.give(on.committer, on.network.contracts.CanaryRegistry, opg('100'))
})
after(() => on.close())

const opg = parseEther
/** Seconds past CHALLENGE_WINDOW and ADJUDICATION of an unhurried chain, within which a canary may be shown. */
const PAST_REVEAL = 5 + 3600 + 5
const stakeOf = (validator: Hex) =>
  on.client.readContract({
    address: on.network.contracts.ValidatorStaking,
    abi: validatorStakingAbi,
    functionName: 'stakeOf',
    args: [validator],
  })
const bondOf = async () => {
  const [bonded] = await on.client.readContract({
    ...on.bonds,
    functionName: 'node',
    args: [on.committer.address],
  })
  return bonded
}

async function sown() {
  const context = { client: on.client, network: on.network, sender: on.committer }
  const canary = await newCanary(context)
  on.serve(canary)
  await sowAndCommit(canary, context)
  return { canary, context, faultId: faultIdOf(FAULT_CLASS.tee, canary.batchId) }
}
const of = (facts: { batchId?: Hex; faultId?: Hex }) => (said: Record<string, unknown>) =>
  (facts.batchId === undefined || said.batchId === facts.batchId) &&
  (facts.faultId === undefined || said.faultId === facts.faultId)

test('a canary is flagged, its reward collected; who called it valid loses a hundredth, and nobody anything else', async () => {
  const [honest, , careless] = on.validators
  assert.ok(honest && careless)
  const { canary, context, faultId } = await sown()
  const { batchId } = canary
  await on.attestFalsely(batchId, 2)
  const [bond, wallet, stake] = [
    await bondOf(),
    await on.balanceOf(honest.address),
    await stakeOf(careless.address),
  ]
  const watching = await on.watch(0)
  const { verdict } = await watching.said('judged', of({ batchId }))
  assert.equal(verdict, VERDICT.invalid)
  await watching.said('fault held', of({ faultId }))
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  await dueToReveal(canary, context)
  await revealCanary(canary, context)
  const { amount } = await watching.said('canary rewarded', of({ batchId }))
  // Nobody else noticed: the whole reward.
  assert.equal(amount, opg('5'))
  await on.devnet.admin('evm_increaseTime', [10])
  await watching.said('fault canary', of({ faultId }))
  await watching.close()
  assert.equal((await on.balanceOf(honest.address)) - wallet, opg('5'))
  assert.equal(stake - (await stakeOf(careless.address)), stake / 100n)
  assert.equal(await closeCanary(canary, context), opg('10'))
  assert.equal(await bondOf(), bond, 'its sower pays the reward and nothing else')
  const { provenAt } = await on.client.readContract({ ...on.faults, functionName: 'fault', args: [faultId] })
  assert.equal(provenAt, 0n, 'no other fault is opened on it')
})

test('a canary that is not shown in time is a plain fault, and its bounty is that of who flagged it', async () => {
  const [honest] = on.validators
  assert.ok(honest)
  const { canary, faultId } = await sown()
  const watching = await on.watch(0)
  await watching.said('fault held', of({ faultId }))
  await on.devnet.admin('evm_increaseTime', [PAST_REVEAL])
  await watching.said('fault collected', of({ faultId }))
  await watching.close()
  assert.equal(await on.stateOf(canary.batchId), BATCH_STATE.void)
  const [shares] = await on.proceedsOf(faultId)
  assert.equal(shares?.prover, honest.address)
  assert.equal(await bondOf(), BOND / 2n)
  const [, , deposit] = await on.client.readContract({
    address: on.network.contracts.CanaryRegistry,
    abi: canaryRegistryAbi,
    functionName: 'seedOf',
    args: [on.committer.address],
  })
  assert.equal(deposit, opg('10'), 'what was sown can be taken back, and helps nothing')
})
