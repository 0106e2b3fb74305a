/**
 * Strangers on a running network: whatever they sign, copy or commit, nobody honest pays for it.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { bondDevelopmentOperator, developmentAccount, publicClientOf } from '@assay/chain'
import { type Network, nodeBondAbi, validatorStakingAbi } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { freePorts } from '../freePorts.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'
import { buy, moneyOf, paymentsOnChain, settled } from './money.ts'
import { exactRequestId, freshNonce, payExactly, post } from './payExactly.ts'
import { BATCH, createStranger, type SecondGateway, type Stranger, startSecondGateway } from './stranger.ts'

let local: LocalNetwork
let network: Network
let stranger: Stranger
let second: SecondGateway
let payer: { address: Address; privateKey: Hex }

before(async () => {
  local = await createLocalNetwork({ ASSAY_TERMS: 'unhurried' })
  network = local.network
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  payer = demo
  await bondDevelopmentOperator(network, { index: 9, url: 'http://127.0.0.1:9' })
  stranger = await createStranger(network, developmentAccount(9))
})
after(async () => {
  await second?.close()
  stranger?.close()
  await local?.close()
})

const body = (extra: object = {}) =>
  JSON.stringify({
    model: network.models[0]?.name,
    messages: [{ role: 'user', content: 'Hello.' }],
    max_tokens: 8,
    ...extra,
  })

/** What the honest have at stake: bond and stakes. */
async function stakes(): Promise<bigint[]> {
  const client = publicClientOf(network)
  const { NodeBond, ValidatorStaking } = network.contracts
  const bonds = network.nodes.map(async ({ operator }) => {
    const bond = { address: NodeBond, abi: nodeBondAbi, functionName: 'node', args: [operator] } as const
    return (await client.readContract(bond))[0]
  })
  const staked = network.validators.map(({ operator }) =>
    client.readContract({
      address: ValidatorStaking,
      abi: validatorStakingAbi,
      functionName: 'stakeOf',
      args: [operator],
    }),
  )
  return Promise.all([...bonds, ...staked])
}

/** What left the payer and did not come back as credit. */
async function costOf(work: () => Promise<void>): Promise<bigint> {
  const earlier = await moneyOf(network, payer.address)
  await work()
  const later = await moneyOf(network, payer.address)
  return earlier.balance - later.balance - (later.credit - earlier.credit)
}

async function paidOut(requestId: Hex): Promise<bigint[]> {
  return (await paymentsOnChain(network, payer.address, 0n)).settled.get(requestId) ?? []
}

test('a receipt with a garbage signature voids the batch of the stranger who committed it, and costs nobody else', async () => {
  const stakesBefore = await stakes()
  const cost = await costOf(async () => {
    const honest = await buy(network, payer.privateKey)
    const forged = {
      ...honest.receipt,
      requestId: `0x${'5a'.repeat(32)}` as Hex,
      committer: stranger.address,
    }
    const garbage = `0x${'11'.repeat(32)}${'22'.repeat(32)}1b` as Hex
    const lowerCase = { ...forged, committer: forged.committer.toLowerCase() as Address }
    const batchId = await stranger.commit([{ receipt: lowerCase, signature: garbage }])
    assert.equal(await stranger.judged(batchId), BATCH.void)
    await settled(network, honest.receipt.requestId)
    assert.deepEqual(await paidOut(honest.receipt.requestId), [honest.receipt.price])
    assert.deepEqual(await paidOut(forged.requestId), [])
    assert.ok(honest.receipt.price > 0n)
  })
  assert.ok(cost > 0n)
  assert.deepEqual(await stakes(), stakesBefore)
})

test('a copied receipt that a stranger commits first is void there, and its own gateway is paid once', async () => {
  const stakesBefore = await stakes()
  let price = 0n
  const cost = await costOf(async () => {
    const copied = await buy(network, payer.privateKey)
    price = copied.receipt.price
    const batchId = await stranger.commit([copied])
    assert.equal(await stranger.judged(batchId), BATCH.void)
    await settled(network, copied.receipt.requestId)
    assert.deepEqual(await paidOut(copied.receipt.requestId), [price])
  })
  assert.equal(cost, price)
  assert.deepEqual(await stakes(), stakesBefore)
})

test('one payment sent through two gateways is served by the one it names', async () => {
  await bondDevelopmentOperator(network, { index: 10, url: 'http://127.0.0.1:9' })
  second = await startSecondGateway(network, {
    account: developmentAccount(10),
    port: await freePorts(1),
    folder: path.join(local.home, 'second'),
  })
  // The second gateway is a whole one: what is bought from it is answered and settled.
  const elsewhere = await buy(second.network, payer.privateKey)
  assert.equal(elsewhere.receipt.committer, second.network.gateway.toLowerCase())

  const nonce = freshNonce()
  const headers = await payExactly(network, payer.privateKey, body(), nonce)
  const [here, there] = await Promise.all([
    post(network, body(), headers),
    post(second.network, body(), headers),
  ])
  assert.equal(here.status, 200, here.text)
  assert.equal(there.status, 402, there.text)
  assert.match(there.text, /"code":"payment_recipient"/)
  assert.equal((await post(network, body(), headers)).status, 409)
  await Promise.all([
    settled(second.network, elsewhere.receipt.requestId),
    settled(network, exactRequestId(network, payer.address, nonce)),
  ])
  assert.equal((await paidOut(exactRequestId(network, payer.address, nonce))).length, 1)
  assert.deepEqual(await paidOut(elsewhere.receipt.requestId), [elsewhere.receipt.price])
})

test('a payer who signs one nonce to two gateways gets one answer and pays once', async () => {
  const nonce = freshNonce()
  const requestId = exactRequestId(network, payer.address, nonce)
  let price = 0n
  const cost = await costOf(async () => {
    const [toFirst, toSecond] = [
      await payExactly(network, payer.privateKey, body(), nonce),
      await payExactly(second.network, payer.privateKey, body(), nonce),
    ]
    const answers = await Promise.all([
      post(network, body(), toFirst),
      post(second.network, body(), toSecond),
    ])
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual([...statuses].sort(), [200, 409], answers.map(({ text }) => text).join('\n'))
    const winner = statuses[0] === 200 ? network : second.network
    const loser = winner === network ? second.network : network
    await settled(winner, requestId)
    const prices = await paidOut(requestId)
    assert.equal(prices.length, 1)
    price = prices[0] ?? 0n
    // Late, with the nonce used on chain: refused by the loser as well, before a byte of an answer.
    const late = await post(loser, body(), loser === network ? toFirst : toSecond)
    assert.ok(late.status === 402 || late.status === 409, late.text)
    assert.doesNotMatch(late.text, /"choices"/)
  })
  assert.equal(cost, price)
  const { locked } = await paymentsOnChain(network, payer.address, 0n)
  assert.equal(locked.get(requestId)?.length, 1)
})
