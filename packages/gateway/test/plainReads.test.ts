import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Hex, numberToHex, zeroAddress } from 'viem'
import { connectPlainReads, type PlainReads } from '../src/chain/plainReads.ts'
import { connectRpc } from '../src/chain/rpc.ts'

type Message = { id: number; params: [{ to: string; data: Hex }, string] }

/** What the chain answers to the messages that came together, as text. */
let answer: (messages: Message[]) => string
const asked: number[] = []
const server = createServer(async (request, response) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const body = JSON.parse(Buffer.concat(parts).toString()) as Message | Message[]
  const messages = Array.isArray(body) ? body : [body]
  asked.push(messages.length)
  response.end(answer(messages))
})
let reads: PlainReads

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const rpcUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const none = zeroAddress
  const contracts = { OPG: none, InferenceEscrow: none, SpendingGrants: none, Settlement: none }
  reads = connectPlainReads(connectRpc({ rpcUrl }), contracts)
})
after(() => {
  server.closeAllConnections()
  server.close()
})

const idAt = (index: number) => numberToHex(index, { size: 32 })
const words = (...values: number[]): Hex =>
  `0x${values.map((value) => numberToHex(value, { size: 32 }).slice(2)).join('')}`
const paymentOf = ({ id, params }: Message) => ({
  id,
  // The state is the id's own number, so that a mixed-up answer shows.
  result: words(0, 0, 0, 0, 0, Number(`0x${params[0].data.slice(-2)}`)),
})

test('many payments are asked for a hundred at a time, and told apart by id in whatever order they come', async () => {
  answer = (messages) => JSON.stringify(messages.map(paymentOf).reverse())
  const ids = Array.from({ length: 130 }, (_, index) => idAt(index))
  const states = (await reads.payments(ids)).map(({ state }) => state)
  assert.deepEqual(
    states,
    ids.map((_, index) => index),
  )
  assert.deepEqual(asked, [100, 30])
})

test('a batch is read by the names of its members', async () => {
  answer = (messages) =>
    JSON.stringify({ id: messages[0]?.id, result: words(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) })
  assert.deepEqual(await reads.batches([idAt(1)]), [
    { state: 3, committedBlock: 8n, committedAt: 9n, quorumAt: 10n, challenges: 12 },
  ])
})

test('the account of a grant is read by the names of its parts', async () => {
  answer = (messages) => JSON.stringify({ id: messages[0]?.id, result: words(40, 30, 20, 1) })
  assert.deepEqual(await reads.grantAccount(idAt(1)), {
    ...{ funded: 40n, spent: 30n, revokedAt: 20n, opened: true },
  })
})

const MALFORMED: Record<string, (messages: Message[]) => string> = {
  'no JSON': () => 'teapot',
  'one error for all of them': () => JSON.stringify({ id: null, error: { code: -32_600 } }),
  'an answer too few': (messages) => JSON.stringify(messages.slice(1).map(paymentOf)),
  'the same answer twice': (messages) =>
    JSON.stringify([messages[0], messages[0]].map((m) => paymentOf(m as Message))),
  'an error among them': (messages) =>
    JSON.stringify(messages.map((m, at) => (at === 0 ? paymentOf(m) : { id: m.id, error: {} }))),
  'a word too few': (messages) =>
    JSON.stringify(messages.map(({ id }) => ({ id, result: words(0, 0, 0, 0, 1) }))),
  'a word too many': (messages) =>
    JSON.stringify(messages.map(({ id }) => ({ id, result: words(0, 0, 0, 0, 0, 1, 1) }))),
  'no hex': (messages) => JSON.stringify(messages.map(({ id }) => ({ id, result: `0x${'g'.repeat(384)}` }))),
  'null in place of an answer': () => JSON.stringify([null, null]),
  'more than any answer has': () => `[${' '.repeat(4096)}]`,
}
for (const [name, malformed] of Object.entries(MALFORMED)) {
  test(`no payment is believed from an answer with ${name}`, async () => {
    answer = malformed
    await assert.rejects(reads.payments([idAt(1), idAt(2)]))
  })
}
