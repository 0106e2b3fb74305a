/**
 * Liars on a running network: each is found by validators who were told nothing, proven on chain, and made to pay; who
 * was honest keeps everything. One network for all scenes.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { publicClientOf, readBatch } from '@assay/chain'
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
    const batch = await readBatch(publicClientOf(network), network, justice.batchId)
    assert.equal(batch?.state, BATCH_STATE.void)
    assert.ok(justice.bounty > 0n && justice.burned > 0n)
    const validators = network.validators.map(({ operator }) => operator.toLowerCase())
    assert.ok(validators.includes(justice.prover.toLowerCase()), 'a validator of the network proved it')
    assert.ok(justice.seconds <= MOST_SECONDS, `it took ${justice.seconds} s`)
  })
}
