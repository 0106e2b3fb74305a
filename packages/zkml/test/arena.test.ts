import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arena } from '../src/kernels/arena.ts'

const PAGE = 65_536

test('allocations are aligned, apart, and given back together', () => {
  const arena = new Arena(new WebAssembly.Memory({ initial: 2 }))
  const first = arena.allocate(10)
  const mark = arena.mark()
  const second = arena.words(100)
  assert.equal(first % 64, 0)
  assert.equal(second % 64, 0)
  assert.ok(second >= first + 10)
  arena.release(mark)
  assert.equal(arena.words(1), second)
})

test('memory grows on demand, and keeps what it holds', () => {
  const arena = new Arena(new WebAssembly.Memory({ initial: 2 }))
  const small = arena.words(4)
  arena.view(small, 4).set([1, 2, 3, 4])
  const large = arena.allocate(20 * PAGE)
  assert.ok(arena.memory.buffer.byteLength >= large + 20 * PAGE)
  assert.deepEqual([...arena.view(small, 4)], [1, 2, 3, 4])
})

test('running out of memory is an error with a name, not a crash', () => {
  const arena = new Arena(new WebAssembly.Memory({ initial: 2, maximum: 4 }))
  assert.throws(() => arena.allocate(10 * PAGE), { code: 'out_of_memory' })
})
