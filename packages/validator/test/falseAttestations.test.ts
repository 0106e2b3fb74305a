/** A lie that two thirds of the stake made final, and the one validator that does not let it rest. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { contractEntry, FAULT_CLASS, faultIdOf, proveInclusion, validatorStakingAbi } from '@assay/protocol'
import { BATCH_STATE, PAYMENT_STATE } from '@assay/verify'
import { type Hex, parseEther } from 'viem'
import { ROGUE } from '../../../test/faults/faultChain.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

let on: FaultNetwork
const children = new Set<ChildProcess>()
before(async () => {
  on = await startFaultNetwork()
})
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await on.close()
})

const opg = parseEther

/** Runs the honest validator as a process of its own, and kills it at once when it says `event`. */
async function runUntil(event: string, faultId: Hex): Promise<void> {
  const { privateKey } = on.validators[0] as (typeof on.validators)[0]
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '..', 'src', 'main.ts')], {
    env: {
      ...process.env,
      ASSAY_NETWORK: path.join(on.folder, 'network.json'),
      ASSAY_KEY: privateKey,
      ASSAY_DATA: path.join(on.folder, 'honest'),
      ASSAY_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { validator: string; faultId?: string }
    if (said.validator !== event || said.faultId !== faultId) continue
    child.kill('SIGKILL')
    await ended
    children.delete(child)
    return
  }
  assert.fail(`the validator ended before it said "${event}"`)
}

test('a final lie costs its attesters everything and makes its payer whole, though the prover is killed three times', async () => {
  saveNetwork(path.join(on.folder, 'network.json'), on.network)
  const requestId = await on.paid(opg('3'))
  const forged = await on.signed({ requestId }, ROGUE)
  const batch = await on.among(forged)
  const batchId = await on.commit(batch)
  for (const which of [1, 2]) await on.attestFalsely(batchId, which)
  await on.devnet.admin('evm_increaseTime', [6])
  await on.committer.send({ ...on.settlement, functionName: 'finalise', args: [batchId] })
  const { entry, ...way } = proveInclusion(batch, requestId)
  await on.committer.send({
    ...on.escrow,
    functionName: 'settle',
    args: [[{ batchId, entry: contractEntry(entry), path: way }]],
  })
  const [, , , paid, , state] = await on.client.readContract({
    ...on.escrow,
    functionName: 'payment',
    args: [requestId],
  })
  assert.deepEqual(
    [paid, state, await on.stateOf(batchId)],
    [opg('2'), PAYMENT_STATE.paid, BATCH_STATE.final],
  )

  const faultId = faultIdOf(FAULT_CLASS.tee, batchId)
  const [honest, ...liars] = on.validators.map(({ address }) => address)
  assert.ok(honest)
  const wallet = await on.balanceOf(honest)
  await runUntil('fault found', faultId)
  await runUntil('fault announced', faultId)
  await runUntil('fault proven', faultId)
  await runUntil('fault collected', faultId)

  // Half the committer's bond and all of both liars' stake; of the rest after 2 OPG for the payer 20% and 30%.
  const shares = {
    prover: honest,
    compensation: opg('2'),
    bounty: opg('499.6'),
    insured: opg('749.4'),
    burned: opg('1249'),
  }
  assert.deepEqual(await on.proceedsOf(faultId), [shares])
  assert.equal((await on.balanceOf(honest)) - wallet, shares.bounty)
  const demo = on.role('demo').address
  assert.equal(await on.client.readContract({ ...on.faults, functionName: 'credit', args: [demo] }), opg('2'))
  const staking = { address: on.network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  for (const liar of liars) {
    assert.equal(await on.client.readContract({ ...staking, functionName: 'stakeOf', args: [liar] }), 0n)
  }
  assert.equal(
    await on.client.readContract({ ...staking, functionName: 'stakeOf', args: [honest] }),
    opg('1000'),
  )
  assert.equal(await on.stateOf(batchId), BATCH_STATE.final)
})
