/**
 * Liars on a running network: each is found by validators who were told nothing, proven on chain, and made to pay; who
 * was honest keeps everything. One network for all scenes.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { formatOpg } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { sowByCommand } from './faults/canary.ts'
import { payersWhole } from './faults/payersWhole.ts'
import { SCENES } from './faults/scenes.ts'
import type { Stage } from './faults/stage.ts'
import { storyOf } from './faults/story.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

/** From the lie to the bounty, by the chain's clock, on a machine that keeps nobody waiting for a processor. */
const MOST_SECONDS = 60n

let local: LocalNetwork
let stage: Stage
const closers: (() => void)[] = []

before(async () => {
  local = await createLocalNetwork({ ASSAY_TERMS: 'rehearsal' })
  const { demo } = local.network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  stage = {
    network: local.network,
    payer: demo,
    simulatedRoot: path.join(local.home, 'simulated-root'),
    assay: local.assay,
    tell: (sentence) => console.log(`  ${sentence}`),
    atEnd: (close) => void closers.push(close),
  }
})
afterEach(() => {
  for (const close of closers.splice(0)) close()
})
after(() => local?.close())

for (const scene of SCENES) {
  test(`${scene.title}: within a minute the batch is void, its payers have their money, the guilty pay, and its finder has the bounty`, async () => {
    const starved = local.starvedMs()
    const { justice, requests } = await scene.play(stage)
    const payments = await payersWhole(stage, justice.batch, requests)
    const most = MOST_SECONDS + BigInt(Math.ceil((local.starvedMs() - starved) / 1000))
    for (const line of storyOf(justice, payments)) console.log(`  ${line}`)
    const { network } = local
    const { batch, fault, seconds } = justice
    assert.equal(batch.state, BATCH_STATE.void)
    assert.ok(fault.proceeds.bounty > 0n && fault.proceeds.burned > 0n)
    const validators = network.validators.map(({ operator }) => operator.toLowerCase())
    assert.ok(validators.includes(fault.prover.toLowerCase()), 'a validator of the network proved it')
    assert.ok(seconds <= most, `it took ${seconds} s of ${most}`)
    for (const payment of payments) {
      assert.ok(payment.seconds <= most, `${payment.requestId} took ${payment.seconds} s of ${most}`)
    }
    const { code, stdout, stderr } = await stage.assay('audit', batch.batchId)
    assert.match(stdout, /void/i, stderr)
    const { operators, validators: slashed, refunds } = fault
    const amounts = [...operators, ...slashed].map(({ taken }) => taken)
    amounts.push(...refunds.map(({ amount }) => amount), fault.proceeds.bounty)
    for (const fact of [fault.faultId, fault.prover, ...amounts.map(formatOpg)]) {
      assert.ok(stdout.includes(fact), `${fact} in:\n${stdout}`)
    }
    for (const { requestId, payer, state, amount } of payments) {
      // What a stranger hid says nothing of payments to somebody else.
      if (scene.name === 'copying') continue
      const lines = stdout.split('\n')
      const at = lines.findIndex((line) => line.includes(requestId))
      const told = lines.slice(at, at + 2).join('\n')
      assert.ok(at >= 0 && told.includes(payer) && told.includes(formatOpg(amount)), stdout)
      assert.match(told, state === 'paid' ? /paid in batch 0x/ : /went back to|refunded/)
    }
    assert.equal(code, 1, 'a void batch is not in order')
  })
}

test('a canary sown by command is flagged by validators who were told nothing, and costs its sower the reward alone', async () => {
  await sowByCommand(stage)
})
