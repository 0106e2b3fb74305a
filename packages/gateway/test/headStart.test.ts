import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { createHeadStart } from '../src/payment/headStart.ts'

const started = () => createHeadStart({ engine: 'postgres' })
type HeadStart = ReturnType<typeof started>
const say = (headStart: HeadStart, whose: string, isGood: boolean) =>
  headStart.watch(whose, Promise.resolve(isGood), (result) => result)

test('a node may begin before a write once the last one for the same was good', async () => {
  const headStart = started()
  assert.equal(headStart.mayFollow('a'), false)
  await say(headStart, 'a', true)
  assert.deepEqual([headStart.mayFollow('a'), headStart.mayFollow('b')], [true, false])
  await say(headStart, 'a', false)
  assert.equal(headStart.mayFollow('a'), false)
})

test('a write that failed, or waits for long, holds up everybody', async (t) => {
  const headStart = started()
  for (const whose of ['a', 'b']) await say(headStart, whose, true)
  const ahead = mock.method(performance, 'now', () => 0)
  t.after(() => ahead.mock.restore())
  const { promise, reject } = Promise.withResolvers<boolean>()
  const waiting = headStart.watch('a', promise, Boolean)
  assert.equal(headStart.mayFollow('b'), true)
  ahead.mock.mockImplementation(() => 100)
  assert.equal(headStart.mayFollow('b'), false)
  reject(new Error('away'))
  await assert.rejects(waiting, /away/)
  assert.equal(headStart.mayFollow('b'), false)
  await say(headStart, 'b', true)
  assert.deepEqual([headStart.mayFollow('a'), headStart.mayFollow('b')], [false, true])
})

test('nothing begins before what the embedded database is told, and of very many grants the one longest silent waits', async () => {
  const embedded = createHeadStart({ engine: 'pglite' })
  await say(embedded, 'a', true)
  assert.equal(embedded.mayFollow('a'), false)
  const headStart = started()
  for (let grant = 0; grant <= 10_000; grant++) await say(headStart, `${grant}`, true)
  assert.deepEqual([headStart.mayFollow('0'), headStart.mayFollow('1')], [false, true])
})
