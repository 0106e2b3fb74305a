import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createStopScanner } from '../src/engines/llama/stopScanner.ts'

function scan(stops: string[], pieces: string[], except?: string): { text: string; stopped: boolean } {
  const scanner = createStopScanner(stops, except)
  let text = ''
  for (const piece of pieces) {
    const out = scanner.push(piece)
    text += out.text
    if (out.stop !== undefined) return { text, stopped: true }
  }
  return { text: text + scanner.flush(), stopped: false }
}

test('cuts at the first stop text wherever the pieces break', () => {
  assert.deepEqual(scan(['END'], ['one E', 'N', 'D two']), { text: 'one ', stopped: true })
  assert.deepEqual(scan(['END'], ['one E', 'N', 'd']), { text: 'one ENd', stopped: false })
  assert.deepEqual(scan(['b', 'ab'], ['xab']), { text: 'x', stopped: true })
  assert.deepEqual(scan([], ['a', 'b']), { text: 'ab', stopped: false })
})

test('a text that begins as the exception does is not cut, and every other is', () => {
  assert.deepEqual(scan(['['], ['<', 'c>', '[1]'], '<c>['), { text: '<c>[1]', stopped: false })
  assert.deepEqual(scan(['['], ['<', 'c> [1]'], '<c>['), { text: '<c> ', stopped: true })
  assert.deepEqual(
    scan(['c'], ['<', 'c'], '<c>['),
    { text: '<c', stopped: false },
    'it ended too early to know',
  )
  assert.deepEqual(scan(['b'], ['ab<c>['], '<c>['), { text: 'a', stopped: true })
})

test('however a text is cut into pieces, the outcome is that of the whole', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
  const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 8 }), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
      const whole = pieces.join('')
      const found = scan(stops, pieces)
      // A stop may be found at the end of an earlier piece, before one that begins earlier is complete.
      if (!found.stopped) {
        assert.equal(found.text, whole)
        for (const text of stops) assert.ok(!whole.includes(text))
      } else {
        assert.ok(whole.startsWith(found.text))
        assert.ok(stops.some((text) => whole.startsWith(text, found.text.length)))
        for (const text of stops) assert.ok(!found.text.includes(text))
      }
    }),
  )
})
