/** A node brings its receipts on chain over a gateway that sits on them: once, where it pays, and over a crash. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSender, fetchBounded } from '@assay/chain'
import { startGateway } from '@assay/gateway'
import {
  buildBatch,
  inclusionToJson,
  inferenceEscrowAbi,
  proveInclusion,
  revenueSplitterAbi,
  rootOfSingle,
  type SignedReceipt,
  settlementAbi,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { until } from '../../../test/until.ts'
import { BODY } from '../../gateway/test/fixtures.ts'
import { account, startRealChain } from '../../gateway/test/realChain.ts'
import { deployment, gateway, makeReceipt, signReceipt } from '../../verify/test/world.ts'
import { findInclusion } from '../src/force/findInclusion.ts'
import { forceChain } from '../src/force/forceChain.ts'
import { createForcer } from '../src/force/forceReceipts.ts'
import { openReceiptStore } from '../src/receiptStore.ts'

const DEAR = 1_000_003n
const CHEAP = 5n

/** Node, gateway and chain; the gateway batches or sits on what it has, as it is told at its start. */
async function startWorld(t: TestContext) {
  const world = await startRealChain()
  const { network, node, client, devnet } = world
  let gateway: Awaited<ReturnType<typeof startGateway>> | undefined
  t.after(async () => {
    await gateway?.close()
    await world.close()
  })
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const operator = createSender({ network, privateKey: account('node').privateKey })
  const dataDir = join(world.directory, 'node')
  let receipts = openReceiptStore(dataDir)
  t.after(() => receipts.close())
  const log: string[] = []
  const url = () => (gateway as NonNullable<typeof gateway>).url
  return {
    ...world,
    operator,
    log,
    get store() {
      return receipts.inclusions
    },
    /** The node's process ends and starts again. */
    reopen() {
      receipts.close()
      receipts = openReceiptStore(dataDir)
    },
    async gatewayThat(batches: boolean) {
      await gateway?.close()
      gateway = await startGateway({
        network,
        privateKey: account('gateway').privateKey,
        dataDir: join(world.directory, 'gateway'),
        port: 0,
        batch: batches ? { maxDelayMs: 100 } : { maxDelayMs: 3_600_000 },
        log: () => {},
      })
      world.join(gateway)
      const own = createSender({ network, privateKey: account('gateway').privateKey })
      await own.send({ ...escrow, functionName: 'setTillUrl', args: [url()] })
    },
    /** An answer whose receipt may be forced in as soon as the clock has moved on. */
    async bought(price: bigint): Promise<SignedReceipt> {
      node.script = {
        kind: 'whole',
        body: new TextEncoder().encode('{}'),
        price,
        alter: (receipt) => ({ ...receipt, includeBy: receipt.issuedAt + 1n }),
      }
      // A price row of 5 a token would quote less than a dear answer; the body is padded until it does not.
      const requestId = await world.buy(url(), 'exact', `${BODY}${' '.repeat(600_000)}`)
      const signed = node.receipts.get(requestId) as SignedReceipt
      await receipts.save(signed)
      return signed
    },
    locked: (requestId: Hex) =>
      until(async () => {
        const payment = await client.readContract({ ...escrow, functionName: 'payment', args: [requestId] })
        return payment[5] === 1
      }),
    statusOf: async (requestId: Hex) =>
      (await (await fetch(`${url()}/v1/receipts/${requestId}`)).json()) as { state: string; batchId: Hex },
    later: (seconds: number) => devnet.admin('evm_increaseTime', [seconds]),
    forcer(change: Partial<ReturnType<typeof forceChain>> = {}) {
      const chain = { ...forceChain({ client, sender: operator, network }), ...change }
      const dial = (target: string, maxBytes: number) =>
        fetchBounded(target, { maxBytes, timeoutMs: 5_000, devnet: true })
      return createForcer({
        chain,
        store: receipts.inclusions,
        findInclusion: findInclusion({ chain, fetch: dial }),
        operator: operator.address.toLowerCase() as Address,
        minPrice: 1_000n,
        log: (event, facts) => log.push(`${event} ${String(facts.outcome ?? facts.reason ?? '')}`),
      })
    },
    forced: () =>
      client.getContractEvents({
        address: network.contracts.Settlement,
        abi: settlementAbi,
        eventName: 'ReceiptForced',
        fromBlock: 0n,
        strict: true,
      }),
  }
}

test('what a gateway sits on is forced in once and paid out; what it batched, and what is too cheap, is not', async (t) => {
  const world = await startWorld(t)
  const { network, client } = world
  await world.gatewayThat(true)
  const batched = await world.bought(DEAR)
  await until(async () => (await world.statusOf(batched.receipt.requestId)).state === 'committed')
  // Attested, or it would expire while the clock moves on, and give back what it held.
  await world.attest((await world.statusOf(batched.receipt.requestId)).batchId)
  await world.gatewayThat(false)
  const [sat, cheap] = [await world.bought(DEAR), await world.bought(CHEAP)]
  await world.locked(sat.receipt.requestId)

  // Before its time, nothing.
  await world.forcer()()
  assert.deepEqual(await world.forced(), [])
  await world.later(62)
  await until(async () => (await client.getBlock()).timestamp > sat.receipt.includeBy + 60n)

  // The process dies between the record and the transaction.
  const dying = world.forcer({
    force: async () => {
      throw new Error('the process died here')
    },
  })
  await dying()
  assert.ok(world.log.some((line) => line.includes('the process died here')))
  const [recorded] = world.store.allForcing()
  assert.equal(recorded?.signed.receipt.requestId, sat.receipt.requestId)
  world.reopen()
  assert.equal(world.store.allForcing()[0]?.batchId, recorded?.batchId)

  // Two at once (a process that was thought dead), and again and again.
  await Promise.all([world.forcer()(), world.forcer()()])
  for (let round = 0; round < 3; round++) await world.forcer()()
  const events = await world.forced()
  assert.deepEqual(
    events.map(({ args }) => [args.requestId, args.batchId]),
    [[sat.receipt.requestId, recorded?.batchId]],
  )
  const { gasUsed } = await client.getTransactionReceipt({ hash: events[0]?.transactionHash as Hex })
  console.log(`force of one receipt: ${gasUsed} gas`)
  assert.equal(world.store.outcomeOf(cheap.receipt.requestId), 'not worth the gas')
  await until(async () => {
    await world.forcer()()
    return world.store.outcomeOf(batched.receipt.requestId) === 'included'
  })

  // Final, it is paid out by the node itself.
  await world.attest(recorded?.batchId as Hex)
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  await world.later(10)
  await until(() =>
    world.operator
      .send({ ...settlement, functionName: 'finalise', args: [recorded?.batchId as Hex] })
      .catch(() => undefined),
  )
  await world.forcer()()
  await world.forcer()()
  assert.equal(world.store.outcomeOf(sat.receipt.requestId), 'paid')
  const splitter = { address: network.contracts.RevenueSplitter, abi: revenueSplitterAbi } as const
  const args = [world.operator.address] as const
  // What the gateway batched is paid by the gateway.
  await until(async () => {
    const earned = await client.readContract({ ...splitter, functionName: 'balanceOf', args })
    return earned === 2n * ((DEAR * 15n) / 100n)
  })
})

test('a gateway is believed where the chain confirms what it shows, and not a step further', async () => {
  const signed = await signReceipt(makeReceipt({ seq: 1n }))
  const batch = buildBatch({
    deployment,
    committer: gateway,
    height: 1n,
    receipts: [signed, await signReceipt(makeReceipt({ seq: 2n }))],
  })
  const { batchId, header } = batch
  const { entry: _, ...path } = proveInclusion(batch, signed.receipt.requestId)
  const shown = JSON.stringify({ inclusion: inclusionToJson({ ...header, batchId, ...path }) })
  const ask = (text: string | Error, known: { state: number; root: Hex } | null, forced: Hex[] = []) =>
    findInclusion({
      chain: {
        batch: async () => known,
        gatewayUrl: async () => 'http://gateway.example/',
        forcedSince: async () => forced,
      },
      fetch: async (url) => {
        assert.equal(url, `http://gateway.example/v1/receipts/${signed.receipt.requestId}`)
        if (text instanceof Error) throw text
        return new TextEncoder().encode(text)
      },
    })(signed)
  const committed = { state: BATCH_STATE.committed, root: header.root }
  assert.equal(await ask(shown, committed), batchId)
  assert.equal(await ask(shown, { ...committed, root: batchId }), undefined)
  assert.equal(await ask(shown, { ...committed, state: BATCH_STATE.void }), undefined)
  assert.equal(await ask(shown, { ...committed, state: BATCH_STATE.expired }), undefined)
  assert.equal(await ask(shown, null), undefined)
  for (const text of ['{"inclusion":null}', '{"inclusion":{"batchId":"0x01"}}', 'not JSON', '[]', '']) {
    assert.equal(await ask(text, committed), undefined)
  }
  assert.equal(await ask(new Error('nobody listens'), committed), undefined)
  // Forced in by a stranger counts as included; another receipt under the same request id does not.
  const single = { ...committed, root: rootOfSingle(signed) }
  assert.equal(await ask('', single, [batchId]), batchId)
  assert.equal(await ask('', committed, [batchId]), undefined)
})
