import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBreaker } from '../src/nodes/breaker.ts'
import { createLatency } from '../src/nodes/latency.ts'

test('three failures in a row open the circuit, one trial at a time may close it, and each failed trial doubles the pause', () => {
  const breaker = createBreaker()
  breaker.fail(0)
  breaker.fail(0)
  breaker.succeed()
  assert.deepEqual([breaker.fail(0), breaker.fail(0), breaker.fail(0)], [false, false, true])
  assert.equal(breaker.state(999), 'open')
  assert.equal(breaker.admits(999), false)
  assert.equal(breaker.state(1000), 'half-open')
  assert.equal(breaker.admits(1000), true)
  breaker.begin(1000)
  assert.equal(breaker.admits(1000), false, 'while one tries, nobody else does')
  assert.equal(breaker.fail(1000), true)
  assert.equal(breaker.state(2999), 'open')
  breaker.begin(3000)
  breaker.succeed()
  assert.equal(breaker.state(3000), 'closed')
})

test('whatever happens, a circuit opens again after some while and no pause is longer than half a minute', () => {
  const step = fc.constantFrom('begin', 'succeed', 'fail', 'forget' as const)
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(60_000)), { maxLength: 60 }), (steps) => {
      const breaker = createBreaker()
      let now = 0
      for (const [what, wait] of steps) {
        now += wait
        if (what === 'begin') breaker.begin(now)
        else if (what === 'fail') breaker.fail(now)
        else breaker[what as 'succeed' | 'forget']()
      }
      breaker.forget()
      assert.equal(breaker.admits(now + 30_000), true)
    }),
  )
})

test('a latency follows what is seen, and fades while nothing is', () => {
  const latency = createLatency()
  assert.equal(latency.read(0), undefined)
  latency.observe(100, 0)
  latency.observe(200, 0)
  assert.equal(latency.read(0), 130)
  assert.equal(latency.read(10_000), 65)
})
