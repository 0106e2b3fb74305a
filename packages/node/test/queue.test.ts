import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createQueue, QueueFullError } from '../src/queue.ts'

const forever = new AbortController().signal

test('runs as many as allowed, lets as many wait, in order, and refuses the rest at once', async () => {
  const queue = createQueue({ concurrency: 2, waiting: 2 })
  const one = await queue.enter(forever)
  const two = await queue.enter(forever)
  const order: string[] = []
  const three = queue.enter(forever).then((leave) => {
    order.push('three')
    return leave
  })
  const four = queue.enter(forever).then((leave) => {
    order.push('four')
    return leave
  })
  assert.deepEqual(queue.state(), { running: 2, waiting: 2, limit: 4 })
  await assert.rejects(
    queue.enter(forever),
    (error) => error instanceof QueueFullError && error.retryAfter >= 1,
  )
  one()
  one() // leaving twice must not let two in
  const leaveThree = await three
  assert.deepEqual([order, queue.state().running], [['three'], 2])
  two()
  const leaveFour = await four
  assert.deepEqual(order, ['three', 'four'])
  leaveThree()
  leaveFour()
  assert.deepEqual(queue.state(), { running: 0, waiting: 0, limit: 4 })
})

test('who leaves while waiting frees the place, and only that one', async () => {
  const queue = createQueue({ concurrency: 1, waiting: 2 })
  const leave = await queue.enter(forever)
  const impatient = new AbortController()
  const gone = queue.enter(impatient.signal)
  const patient = queue.enter(forever)
  impatient.abort(new Error('gone'))
  await assert.rejects(gone, /gone/)
  assert.deepEqual(queue.state(), { running: 1, waiting: 1, limit: 3 })
  leave()
  const last = await patient
  impatient.abort()
  last()
  assert.deepEqual(queue.state(), { running: 0, waiting: 0, limit: 3 })
  const aborted = AbortSignal.abort(new Error('before'))
  await assert.rejects(queue.enter(aborted), /before/)
})
