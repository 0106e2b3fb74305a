/** A payment whose request a node may have stays spent, whatever becomes of the disk, the wire and the node; what nobody has is free again. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { until } from '../../../test/until.ts'
import { DISK } from '../../store/src/journal/segment.ts'
import { errorOf, type ReceiptAnswer } from './answers.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type StubNode, startStubNode } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const WHOLE = { kind: 'whole', body: bytes('{}') } as const

let harness: Harness
beforeEach(async () => {
  harness = await startHarness()
  harness.node.script = WHOLE
})
afterEach(async () => {
  mock.restoreAll()
  await harness.close()
})

/** The file system has no room after so many more lines of the journal, until there is. */
function fillDisk(linesLeft: number): { room(): void; refused(): number } {
  const { write } = DISK
  let left = linesLeft
  let refused = 0
  mock.method(DISK, 'write', (...line: Parameters<typeof write>) => {
    if (left-- > 0) return write(...line)
    refused += 1
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  })
  return {
    room: () => {
      left = Number.POSITIVE_INFINITY
    },
    refused: () => refused,
  }
}

async function statusOf({ gateway }: Harness, response: Response): Promise<ReceiptAnswer> {
  const requestId = response.headers.get('x-assay-request-id')
  return (await (await fetch(`${gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
}

/** That it is over, cost nothing, and that neither this gateway nor its successor takes the payment again. */
async function assertSpent(headers: Record<string, string>, node: StubNode, asked: number): Promise<void> {
  const { directory, chain } = harness
  for (const life of ['this', 'the next']) {
    const again = await harness.post(BODY, headers)
    assert.equal(again.status, 409, `in ${life} life: ${await again.clone().text()}`)
    assert.equal((await errorOf(again)).code, 'payment_used')
    const { state, payment } = await statusOf(harness, again)
    assert.deepEqual({ state, payment }, { state: 'failed', payment: null })
    if (life === 'the next') break
    await harness.gateway.close()
    harness = await startHarness({ directory, chain, node })
  }
  assert.equal(node.requests.length, asked)
  assert.deepEqual(harness.chain.state.collected, [])
}

test('the disk does not take the claim: no node is asked, and the same payment buys an answer once there is room', async () => {
  const { node } = harness
  const headers = await harness.payFor(BODY)
  const disk = fillDisk(0)
  const refused = await harness.post(BODY, headers)
  assert.equal(refused.status, 500, await refused.clone().text())
  assert.equal(node.requests.length, 0)
  disk.room()
  const answer = await harness.post(BODY, headers)
  assert.equal(answer.status, 200, await answer.clone().text())
  await until(async () => (await statusOf(harness, answer)).payment?.state === 'settled')
  await node.close()
})

test('the disk does not take the receipt of a request that a node answered', async () => {
  const { node } = harness
  const headers = await harness.payFor(BODY)
  const disk = fillDisk(1)
  const refused = await harness.post(BODY, headers)
  assert.equal(refused.status, 502)
  assert.equal((await errorOf(refused)).code, 'receipt_not_durable')
  disk.room()
  await assertSpent(headers, node, 1)
  await node.close()
})

test('the disk does not take the release of a request that reached nobody: the same payment buys an answer', async () => {
  const headers = await harness.payFor(BODY)
  const { chain, node: gone } = harness
  const { port } = new URL(gone.url)
  const { funds } = chain
  // It goes when it has been chosen and the payer's funds are read: earlier, the gateway may see that it is gone.
  chain.funds = async (payer) => {
    await gone.close()
    // By its answer to this the gateway has heard that its connections to the node are closed.
    await fetch(`${harness.gateway.url}/health`)
    return funds(payer)
  }
  const disk = fillDisk(1)
  const refused = await harness.post(BODY, headers)
  chain.funds = funds
  assert.equal(refused.status, 503)
  assert.equal((await errorOf(refused)).code, 'node_unreachable')
  assert.ok(disk.refused() > 0)
  disk.room()
  const node = await startStubNode(undefined, Number(port))
  node.script = WHOLE
  const served = await until(async () => {
    const answer = await harness.post(BODY, headers)
    return answer.status === 200 && answer
  })
  assert.ok(served.headers.has('x-assay-receipt'))
  await node.close()
})

test('a node that has the request already, from a life that the gateway lost: nothing is charged, also where it signed', async () => {
  const { node } = harness
  const headers = await harness.payFor(BODY)
  const signed = await fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    body: BODY,
    headers: { 'content-type': 'application/json', ...headers },
  })
  assert.ok(signed.headers.has('x-assay-receipt'))
  node.script = { ...WHOLE, status: 409, withoutReceipt: true }
  assert.equal((await harness.post(BODY, headers)).status, 409)
  await assertSpent(headers, node, 2)
  await node.close()
})

test('a node, or what stands before it, fails without a word whether it has the request', async () => {
  const { node } = harness
  const headers = await harness.payFor(BODY)
  node.script = { ...WHOLE, status: 504, withoutReceipt: true }
  assert.equal((await harness.post(BODY, headers)).status, 504)
  node.script = WHOLE
  await assertSpent(headers, node, 1)
  await node.close()
})

test('one node breaks off and the next declines: the first may have signed', async () => {
  const { node } = harness
  const other = await startStubNode(`0x${'0e'.repeat(20)}`)
  await harness.gateway.close()
  harness = await startHarness({ ...harness, node, others: [other] })
  const headers = await harness.payFor(BODY)
  const breakOff = { ...WHOLE, dieBeforeHead: true }
  const decline = { ...WHOLE, status: 429, withoutReceipt: true }
  // Whoever is asked first breaks off.
  for (const [asked, next] of [
    [node, other],
    [other, node],
  ] as const) {
    asked.script = {
      ...breakOff,
      get delayMs() {
        next.script = decline
        return 0
      },
    }
  }
  assert.equal((await harness.post(BODY, headers)).status, 429)
  assert.equal(node.requests.length + other.requests.length, 2)
  node.script = WHOLE
  other.script = WHOLE
  await assertSpent(headers, node, node.requests.length)
  await other.close()
  await node.close()
})
