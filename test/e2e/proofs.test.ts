/** Proofs of inference on a whole network: over kill -9 of all of it, and under a demand for what lies behind one. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { publicClientOf } from '@assay/chain'
import {
  batchEntries,
  CHALLENGE_STATE,
  challengeIdOf,
  DATA_PART,
  dataChallengeAbi,
  MODE,
  type Network,
  nodeBondAbi,
  type Receipt,
  statedBatch,
} from '@assay/protocol'
import { createAssay } from '@assay/sdk'
import type { Hex } from 'viem'
import { FIRST_PLAYER, outfit } from '../faults/operators.ts'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'
import { moneyOf, settled, spendingSince } from './money.ts'
import { drain, judge } from './promises.ts'

const PAYMENTS = path.join(import.meta.dirname, '../../packages/zkml/models/payments.json')
const { inputs } = JSON.parse(readFileSync(PAYMENTS, 'utf8')) as { inputs: number[][] }
/** A proof takes a second: sometimes it is attached before everything is dead. Then the next answer is tried. */
const TRIES = 5

let local: LocalNetwork
let network: Network
let demo: NonNullable<Network['accounts']['demo']>

before(async () => {
  local = await createLocalNetwork({ ASSAY_TERMS: 'unhurried' })
  network = local.network
  assert.ok(network.accounts.demo)
  demo = network.accounts.demo
})
after(() => local?.close())

/** An answer of mode zk, verified but for its proof, which is not waited for. */
async function score(which: number): Promise<Receipt> {
  const assay = createAssay({ network, privateKey: demo.privateKey })
  const input = inputs[which] as number[]
  const { receipt } = await assay.infer({ model: 'fraud-scorer', input, wait: 'answer' })
  assert.equal(receipt.mode, MODE.zk)
  return receipt
}

function isAttached(requestId: Hex): boolean {
  const lines = local.logOf('gateway').split('\n')
  return lines.some((line) => line.includes('proof_attached') && line.includes(requestId))
}

function batchOf(requestId: Hex): Promise<Hex> {
  return until(
    async () => {
      const response = await fetch(`${network.gatewayUrl}/v1/receipts/${requestId}`)
      const page = (await response.json()) as { state: string; batchId: Hex | null }
      return page.state === 'committed' && page.batchId !== null && page.batchId
    },
    () => `${requestId} to be committed`,
  )
}

test('kill -9 of everything between the answer and its proof: it is proved, final, and paid once', async () => {
  const start = await moneyOf(network, demo.address)
  const delivered = new Map<Hex, Receipt[]>()
  let struck: Hex | undefined
  for (let at = 0; struck === undefined && at < TRIES; at++) {
    const receipt = await score(at)
    await local.killEverything()
    delivered.set(receipt.requestId, [receipt])
    if (!isAttached(receipt.requestId)) struck = receipt.requestId
    await local.start()
  }
  assert.ok(struck, 'everything was dead before a proof was attached')
  for (const requestId of delivered.keys()) await settled(network, requestId)
  assert.ok(isAttached(struck))
  const attempted = new Set(delivered.keys())
  const { broken } = judge({
    spending: await spendingSince(network, demo.address, start),
    attempted,
    delivered,
    withoutReceipt: [],
    statuses: await drain(network, attempted),
    recovered: () => false,
  })
  assert.deepEqual(broken, [])
  const { code, stdout } = await local.assay('verify', struck)
  assert.equal(code, 0, stdout)
  assert.match(stdout, /proofHolds/)
})

test('an honest gateway shows the tape that is demanded of it, and loses nothing', async () => {
  const client = publicClientOf(network)
  const challenges = { address: network.contracts.DataChallenge, abi: dataChallengeAbi } as const
  const bonded = async () => {
    const node = { address: network.contracts.NodeBond, abi: nodeBondAbi, functionName: 'node' } as const
    const [amount] = await client.readContract({ ...node, args: [network.gateway] })
    return amount
  }
  const bond = await bonded()
  // Nobody attests before the demand is made, which a batch that is final would not take.
  const validators = local.pidsOf('validator')
  for (const pid of validators) process.kill(pid, 'SIGSTOP')
  const { requestId } = await score(TRIES)
  const batchId = await batchOf(requestId)
  const challengeBond = await client.readContract({ ...challenges, functionName: 'bondFor', args: [batchId] })
  const hunter = await outfit(network, FIRST_PLAYER, challengeBond, [challenges.address])
  const file = await fetch(`${network.gatewayUrl}/v1/batches/${batchId}/data`)
  const entries = batchEntries(statedBatch(new Uint8Array(await file.arrayBuffer())))
  const place = BigInt(entries.findIndex(({ receipt }) => receipt.requestId === requestId))
  await hunter.send({ ...challenges, functionName: 'demand', args: [batchId, DATA_PART.tape, place] })
  for (const pid of validators) process.kill(pid, 'SIGCONT')
  const challengeId = challengeIdOf(batchId, DATA_PART.tape, place)
  const challenge = () =>
    client.readContract({ ...challenges, functionName: 'challenge', args: [challengeId] })
  await until(
    async () => (await challenge()).state !== CHALLENGE_STATE.open,
    () => 'the challenge to end',
  )
  const { state, bond: paid } = await challenge()
  assert.equal(state, CHALLENGE_STATE.answered, local.logOf('gateway').slice(-2000))
  await settled(network, requestId)
  assert.equal(await bonded(), bond)
  const creditOf = (who: Hex) => client.readContract({ ...challenges, functionName: 'credit', args: [who] })
  assert.equal(await creditOf(network.gateway), paid / 2n)
  assert.equal(await creditOf(hunter.address), 0n)
})
