/** A committer shows what is demanded of its batches, in time, whoever demands how much and whatever dies meanwhile. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { createSender, developmentAccount } from '@assay/chain'
import {
  CHALLENGE_STATE,
  challengeIdOf,
  chunkTree,
  DATA_PART,
  dataChallengeAbi,
  inferenceEscrowAbi,
  opgAbi,
  parseBatchFile,
} from '@assay/protocol'
import { type Address, type Hex, parseEther } from 'viem'
import { until } from '../../../test/until.ts'
import { BODY, DEPLOYMENT } from './fixtures.ts'
import { startHarness } from './harness.ts'
import { account, startRealChain } from './realChain.ts'

/** The two parts of a page that a test needs. */
type Page = { batchId: Hex | null; state: string }
const read = async (url: string): Promise<Page> => (await (await fetch(url)).json()) as Page

test('every part is shown once, also of a batch that is void, after a crash and after a rollback', async () => {
  let harness = await startHarness()
  const { chain, directory } = harness
  try {
    chain.verdict = 'invalid'
    const answer = await harness.post(BODY, await harness.payFor(BODY))
    const requestId = answer.headers.get('x-assay-request-id')
    await answer.arrayBuffer()
    const receipt = () => read(`${harness.gateway.url}/v1/receipts/${requestId}`)
    const batchId = await until(async () => (await receipt()).batchId ?? undefined)
    await until(async () => (await read(`${harness.gateway.url}/v1/batches/${batchId}`)).state === 'void')
    chain.verdict = 'valid'
    const file = new Uint8Array(
      await (await fetch(`${harness.gateway.url}/v1/batches/${batchId}/data`)).arrayBuffer(),
    )
    const demand = (part: number, index: number) => {
      const challengeId = challengeIdOf(batchId, part, BigInt(index))
      chain.demanded.push({ challengeId, batchId, part, index, block: chain.state.number + 1n })
      return challengeId
    }
    const [chunk, end, shown] = [
      demand(DATA_PART.chunk, 0),
      demand(DATA_PART.chunk, 1023),
      demand(DATA_PART.receipt, 0),
    ]
    await until(() => chain.shown.size === 3)
    const tree = chunkTree(file)
    const length = BigInt(file.length)
    assert.deepEqual(chain.shown.get(chunk), { kind: 'chunk', length, ...tree.prove(0) })
    assert.deepEqual(chain.shown.get(end), { kind: 'end', length, chunkRoot: tree.root })
    const receiptShown = chain.shown.get(shown)
    assert.ok(receiptShown?.kind === 'receipt')
    assert.equal(receiptShown.entry.receipt.requestId, requestId)
    assert.equal(parseBatchFile(file, DEPLOYMENT).batchId, batchId)

    // While nobody runs, one more is demanded; and the chain forgets one of the answers.
    await harness.gateway.close()
    const late = demand(DATA_PART.chunk, 7)
    chain.shown.delete(chunk)
    harness = await startHarness({ chain, directory, node: harness.node })
    await until(() => chain.shown.size === 4)
    assert.ok(chain.shown.has(late) && chain.shown.has(chunk))

    // Too late is too late: nothing is sent, and it is said.
    chain.deadline = 1n
    const missed = demand(DATA_PART.chunk, 8)
    await until(() => harness.logs.some((line) => line.startsWith('demand_missed')))
    assert.ok(!chain.shown.has(missed))
    const metrics = await harness.metrics()
    assert.match(metrics, /data_demands_total\{kind="missed"\} 1/)
  } finally {
    await harness.close()
    await harness.node.close()
  }
})

test('a hostile demander of every part at once pays for it, and the batch becomes final, over kill -9', async (t) => {
  const world = await startRealChain()
  const { client, network, node } = world
  const networkFile = join(world.directory, 'network.json')
  writeFileSync(networkFile, JSON.stringify(network))
  const missed: string[] = []
  let running: { child: ChildProcess; url: string } | undefined
  async function start(): Promise<string> {
    const main = new URL('../src/main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [main], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ASSAY_NETWORK: networkFile,
        ASSAY_KEY: account('gateway').privateKey,
        ASSAY_DATA: join(world.directory, 'gateway'),
        ASSAY_PORT: '0',
      },
    })
    const url = await new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}`)))
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = JSON.parse(line) as { event: string; url: string }
        if (event.event === 'listening') resolve(event.url)
        if (event.event === 'demand_missed') missed.push(line)
      })
    })
    running = { child, url }
    return url
  }
  async function kill(): Promise<void> {
    const child = running?.child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
  t.after(async () => {
    await kill()
    await world.close()
  })

  let url = await start()
  const till = await client.readContract({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'tillOf',
    args: [account('gateway').address],
  })
  world.join({ till, committer: account('gateway').address.toLowerCase() as Address })
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price: 5n }
  const bought = await Promise.all(Array.from({ length: 12 }, () => world.buy(url)))
  const batches = await until(async () => {
    const pages = await Promise.all(bought.map((id) => read(`${url}/v1/receipts/${id}`)))
    return pages.every(({ state }) => state === 'committed') && pages.map(({ batchId }) => batchId as Hex)
  })
  const [batchId] = batches as [Hex]
  const count = batches.filter((id) => id === batchId).length
  const file = new Uint8Array(await (await fetch(`${url}/v1/batches/${batchId}/data`)).arrayBuffer())
  const chunks = chunkTree(file).count

  // 120 parts, most of them beyond the end of the file: each one a bond.
  const parts = [
    ...Array.from({ length: count }, (_, index) => ({ part: DATA_PART.receipt, index })),
    ...Array.from({ length: 120 - count }, (_, index) => ({ part: DATA_PART.chunk, index })),
  ]
  const challenge = { address: network.contracts.DataChallenge, abi: dataChallengeAbi } as const
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  const hunter = createSender({ network, privateKey: developmentAccount(19).privateKey })
  const bond = await client.readContract({ ...challenge, functionName: 'bondFor', args: [batchId] })
  const purse = bond * BigInt(parts.length)
  const deployer = createSender({ network, privateKey: account('deployer').privateKey })
  await deployer.send({ ...token, functionName: 'transfer', args: [hunter.address, purse] })
  await deployer.transferEther(hunter.address, parseEther('10'))
  await hunter.send({ ...token, functionName: 'approve', args: [challenge.address, purse] })
  const creditOf = (who: Address) =>
    client.readContract({ ...challenge, functionName: 'credit', args: [who] })
  const demands = parts.map(({ part, index }) =>
    hunter.send({
      ...challenge,
      functionName: 'demand',
      args: [batchId, part, BigInt(index)],
      gas: 600_000n,
    }),
  )
  // Struck down among its answers, and started again.
  await until(async () => (await creditOf(account('gateway').address)) > 0n)
  await kill()
  url = await start()
  await Promise.all(demands)
  const states = () =>
    Promise.all(
      parts.map(async ({ part, index }) => {
        const id = challengeIdOf(batchId, part, BigInt(index))
        const { state } = await client.readContract({ ...challenge, functionName: 'challenge', args: [id] })
        return state
      }),
    )
  const all = (bond / 2n) * BigInt(parts.length)
  await until(async () => (await creditOf(account('gateway').address)) === all)
  assert.ok((await states()).every((state) => state === CHALLENGE_STATE.answered))
  assert.deepEqual(missed, [])
  // Half of each bond is the committer's, half is burned; the demander has nothing left of it.
  assert.equal(await creditOf(hunter.address), 0n)
  assert.equal(await client.readContract({ ...token, functionName: 'balanceOf', args: [hunter.address] }), 0n)
  await world.attest(batchId)
  await until(async () => (await read(`${url}/v1/batches/${batchId}`)).state === 'final')

  const logs = await Promise.all(
    (['ChunkShown', 'ChunkAbsent', 'ReceiptShown'] as const).map(async (eventName) => {
      const found = await client.getContractEvents({ ...challenge, eventName, fromBlock: 0n, strict: true })
      const used = await Promise.all(
        found.map(async ({ transactionHash: hash }) => {
          const { gasUsed, from } = await client.getTransactionReceipt({ hash })
          assert.equal(from.toLowerCase(), account('gateway').address.toLowerCase())
          return gasUsed
        }),
      )
      return { eventName, used }
    }),
  )
  for (const { eventName, used } of logs) {
    const most = used.toSorted((a, b) => (a < b ? 1 : -1))[0] ?? 0n
    console.log(`${eventName.padEnd(12)} ${String(used.length).padStart(3)} answers, most gas ${most}`)
    assert.ok(most < 1_000_000n)
  }
  assert.equal(
    logs.reduce((sum, { used }) => sum + used.length, 0),
    parts.length,
  )
  assert.equal(logs[0]?.used.length, chunks)
})
