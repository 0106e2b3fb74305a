/** The gateway over the real contracts on the development chain; only the model behind the node is a stub. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { startGateway } from '@assay/gateway'
import { deploymentOf, inferenceEscrowAbi, opgAbi, parseBatchFile, SCHEME } from '@assay/protocol'
import { type Hex, parseEther } from 'viem'
import { until } from '../../../test/until.ts'
import { connectChain } from '../src/chain/onChain.ts'
import type { ReceiptAnswer } from './answers.ts'
import { BODY } from './fixtures.ts'
import { account, startRealChain } from './realChain.ts'

test('exact and upto payments are collected, committed, made final and paid to the last base unit', async (t) => {
  const world = await startRealChain()
  const { client, network, node } = world
  const { privateKey } = account('gateway')
  const chain = connectChain(network, privateKey)
  const collected: Parameters<typeof chain.collect>[0][number][] = []
  const start = () =>
    startGateway({
      network,
      privateKey,
      chain: {
        ...chain,
        collect(items, onBroadcast) {
          collected.push(...items)
          return chain.collect(items, onBroadcast)
        },
      },
      dataDir: join(world.directory, 'gateway'),
      port: 0,
      batch: { maxDelayMs: 100 },
      log: () => {},
    })
  let gateway = await start()
  t.after(async () => {
    await gateway.close()
    await world.close()
  })
  world.join(gateway)
  const price = 1_000_003n
  const payer = account('demo').address
  const balance = () =>
    client.readContract({
      address: network.contracts.OPG,
      abi: opgAbi,
      functionName: 'balanceOf',
      args: [payer],
    })
  const credit = () =>
    client.readContract({
      address: network.contracts.InferenceEscrow,
      abi: inferenceEscrowAbi,
      functionName: 'credit',
      args: [payer],
    })
  const before = await balance()
  const requestIds: Hex[] = []
  // A price row of 5 a token would quote less than the price asked here; the body is padded until it does not.
  const body = `${BODY}${' '.repeat(600_000)}`
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price }
  for (const scheme of ['exact', 'upto'] as const) requestIds.push(await world.buy(gateway.url, scheme, body))
  const statusOf = async (requestId: Hex) =>
    (await (await fetch(`${gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
  const attested = new Set<Hex>()
  const settle = (requestId: Hex) =>
    until(async () => {
      const status = await statusOf(requestId)
      if (status.state === 'committed' && status.batchId !== null && !attested.has(status.batchId)) {
        attested.add(status.batchId)
        await world.attest(status.batchId)
      }
      return status.state === 'final' && status.payment?.state === 'settled' && status
    })
  // Stopped in the middle and started again on the same folder: nothing is lost and nothing is done twice.
  await until(async () => (await statusOf(requestIds[0] as Hex)).state === 'committed')
  await gateway.close()
  gateway = await start()
  for (const requestId of requestIds) {
    const status = await settle(requestId)
    assert.match(status.transactionHash, /^0x[0-9a-f]{64}$/)
  }
  assert.equal((await credit()) + (await balance()), before - 2n * price)
  assert.ok(before > parseEther('1'))
  // What is collected already stays so, and a payment that its payer did not sign is refused with the token's reason.
  const [exact] = collected.filter(({ scheme }) => scheme === SCHEME.exact)
  assert.ok(exact)
  const nonce = `0x${'5e'.repeat(32)}`
  const collect = JSON.stringify({ ...JSON.parse(exact.collect), nonce })
  const { rejected } = await chain.collect([exact, { ...exact, collect }])
  assert.equal(rejected.size, 1)
  assert.match([...rejected.values()].join(), /^(Invalid|Wrong|Bad)\w+/)
})

test('a receipt is bad by what the chain says, as validators read it', async (t) => {
  const world = await startRealChain()
  const { client, network, node } = world
  const { privateKey } = account('gateway')
  const chain = connectChain(network, privateKey)
  const gateway = await startGateway({
    ...{ network, privateKey, chain, dataDir: join(world.directory, 'gateway'), port: 0, log: () => {} },
    // Both in one batch.
    batch: { maxReceipts: 2, maxDelayMs: 3_600_000 },
  })
  t.after(async () => {
    await gateway.close()
    await world.close()
  })
  world.join(gateway)
  const { number, hash } = await client.getBlock()
  const body = new TextEncoder().encode('{}')
  // What the model's price row makes of one unit in and one out.
  const price = 10n
  node.script = {
    ...{ kind: 'whole', body, price },
    alter: (receipt) => ({ ...receipt, anchorBlock: number, anchorHash: hash }),
  }
  const good = await world.buy(gateway.url)
  node.script = { kind: 'whole', body, price }
  const bad = await world.buy(gateway.url)
  const statusOf = async (requestId: Hex) =>
    (await (await fetch(`${gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
  const { batchId } = await until(async () => {
    const status = await statusOf(good)
    return status.state === 'committed' && status
  })
  assert.equal((await statusOf(bad)).batchId, batchId)
  const file = await fetch(`${gateway.url}/v1/batches/${batchId}/data`)
  const batch = parseBatchFile(new Uint8Array(await file.arrayBuffer()), deploymentOf(network))
  assert.deepEqual([...(await chain.badReceipts(batch))], [[bad, 'anchor_differs']])
})
