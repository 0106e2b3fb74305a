/**
 * Liars on a running network: each is found by validators who were told nothing, proven on chain, and made to pay; who
 * was honest keeps everything. One network for all scenes.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatOpg } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { SCENES } from './faults/scenes.ts'
import type { Stage } from './faults/stage.ts'
import { storyOf } from './faults/story.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

/** From the lie to the bounty, by the chain's clock. */
const MOST_SECONDS = 60n

let local: LocalNetwork
let stage: Stage

before(async () => {
  local = await createLocalNetwork()
  const { demo } = local.network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  stage = {
    network: local.network,
    payer: demo,
    assay: local.assay,
    tell: (sentence) => console.log(`  ${sentence}`),
  }
})
after(() => local?.close())

for (const scene of SCENES) {
  test(`${scene.title}: within a minute the batch is void, the guilty pay, and its finder has the bounty`, async () => {
    const justice = await scene.play(stage)
    for (const line of storyOf(justice)) console.log(`  ${line}`)
    const { network } = local
    const { batch, fault, seconds } = justice
    assert.equal(batch.state, BATCH_STATE.void)
    assert.ok(fault.proceeds.bounty > 0n && fault.proceeds.burned > 0n)
    const validators = network.validators.map(({ operator }) => operator.toLowerCase())
    assert.ok(validators.includes(fault.prover.toLowerCase()), 'a validator of the network proved it')
    assert.ok(seconds <= MOST_SECONDS, `it took ${seconds} s`)
    const { code, stdout, stderr } = await stage.assay('audit', batch.batchId)
    assert.match(stdout, /void/i, stderr)
    const { operators, validators: slashed, refunds } = fault
    const amounts = [...operators, ...slashed].map(({ taken }) => taken)
    amounts.push(...refunds.map(({ amount }) => amount), fault.proceeds.bounty)
    for (const fact of [fault.faultId, fault.prover, ...amounts.map(formatOpg)]) {
      assert.ok(stdout.includes(fact), `${fact} in:\n${stdout}`)
    }
    assert.equal(code, 1, 'a void batch is not in order')
  })
}
