import assert from 'node:assert/strict'
import { beforeEach, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createRecentReadings } from '../src/recentReadings.ts'

/** A chain that answers when it is told to. */
let questions: { key: string; answer: (value: number | undefined) => void; fail: () => void }[]
const read = (key: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    questions.push({ key, answer: resolve, fail: () => reject(new Error('away')) })
  })
beforeEach(() => {
  questions = []
})

/** Puts the clock that ages are measured by forward, for one test. */
function clock(context: TestContext): (ms: number) => void {
  let at = 1000
  context.mock.method(performance, 'now', () => at)
  return (ms) => {
    at += ms
  }
}
const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let over = false
  promise.then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  await turn()
  return over
}

test('only the first look waits; what is not of now is used while the next is read behind it', async (context) => {
  const wait = clock(context)
  const readings = createRecentReadings({ read, freshMs: 10, usableMs: 100, maxKeys: 8 })
  const first = readings.lately('a')
  assert.equal(await settled(first), false)
  questions[0]?.answer(1)
  assert.equal(await first, 1)
  wait(9)
  assert.equal(await readings.lately('a'), 1)
  assert.equal(questions.length, 1)
  wait(1)
  assert.equal(await readings.lately('a'), 1)
  assert.equal(await readings.lately('a'), 1)
  assert.equal(questions.length, 1)
  await turn()
  assert.equal(questions.length, 2, 'asked behind the answer, once')
  questions[1]?.answer(2)
  await turn()
  assert.equal(await readings.lately('a'), 2)
})

test('who asks for now is told nothing older, and shares the question of others', async (context) => {
  const wait = clock(context)
  const readings = createRecentReadings({ read, freshMs: 10, usableMs: 100, maxKeys: 8 })
  const [first, second] = [readings.now('a'), readings.now('a')]
  questions[0]?.answer(1)
  assert.deepEqual([await first, await second, questions.length], [1, 1, 1])
  wait(10)
  const third = readings.now('a')
  assert.equal(await settled(third), false)
  questions[1]?.answer(2)
  assert.equal(await third, 2)
})

test('an answer that is too old is waited for', async (context) => {
  const wait = clock(context)
  const readings = createRecentReadings({ read, freshMs: 10, usableMs: 100, maxKeys: 8 })
  readings.lately('a')
  questions[0]?.answer(1)
  await turn()
  wait(100)
  const late = readings.lately('a')
  assert.equal(await settled(late), false)
  questions[1]?.answer(2)
  assert.equal(await late, 2)
})

test('a question that failed takes nothing away, ages nothing, and is asked again', async (context) => {
  const wait = clock(context)
  const readings = createRecentReadings({ read, freshMs: 10, usableMs: 100, maxKeys: 8 })
  const first = readings.lately('a')
  questions[0]?.fail()
  await assert.rejects(first)
  readings.lately('a')
  questions[1]?.answer(1)
  await turn()
  wait(50)
  assert.equal(await readings.lately('a'), 1)
  await turn()
  questions[2]?.fail()
  await turn()
  assert.equal(await readings.lately('a'), 1)
  assert.equal(questions.length, 3, 'one that is away is not asked by every call')
  const now = readings.now('a')
  questions[3]?.answer(2)
  assert.equal(await now, 2)
  wait(99)
  assert.equal(await readings.lately('a'), 2)
})

test('nothing is remembered of what is not there, nor of more keys than are given', async (context) => {
  const wait = clock(context)
  const readings = createRecentReadings({ read, freshMs: 10, maxKeys: 2 })
  const known = async (key: string): Promise<boolean> => {
    const before = questions.length
    const answer = readings.lately(key)
    for (const question of questions.slice(before)) question.answer(1)
    await answer
    return questions.length === before
  }
  readings.lately('none')
  questions[0]?.answer(undefined)
  await turn()
  assert.equal(await known('none'), false)
  assert.equal(await known('b'), false)
  wait(5)
  assert.deepEqual([await known('none'), await known('b')], [true, true])
  assert.equal(await known('c'), false)
  assert.deepEqual([await known('b'), await known('c')], [true, true])
  assert.equal(await known('none'), false, 'the one that was longest not read is forgotten')
})
