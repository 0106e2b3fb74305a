import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraudScorer } from '../../../test/fraudScorer.ts'
import { cardOf, decodeModelCard } from '../src/index.ts'
import { encodeModelCard } from '../src/verifier/index.ts'

test('a card has one encoding, names the model, and any other byte is refused or another model', () => {
  const { compiled } = fraudScorer()
  const bytes = cardOf(compiled)
  const card = decodeModelCard(bytes)
  assert.deepEqual(encodeModelCard(card), bytes)
  assert.deepEqual(card.input, compiled.input)
  assert.deepEqual(card.output, compiled.output)
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice()
    changed[at] = (changed[at] as number) ^ 1
    let other: ReturnType<typeof decodeModelCard>
    try {
      other = decodeModelCard(changed)
    } catch {
      continue
    }
    assert.notDeepEqual(other, card)
  }
  assert.throws(() => decodeModelCard(bytes.subarray(0, -1)), { code: 'bad_file' })
  assert.throws(() => decodeModelCard(Uint8Array.of(...bytes, 0)), { code: 'bad_file' })
})
