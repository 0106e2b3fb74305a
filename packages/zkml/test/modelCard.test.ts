import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cardOf, compileOnnx, decodeModelCard, decodeModelFile, encodeModelFile } from '../src/index.ts'
import { encodeModelCard } from '../src/verifier/index.ts'

const MODELS = join(import.meta.dirname, '../models')
const file = readFileSync(join(MODELS, 'fraud-scorer.azk'))

test('the shipped fraud scorer is what its ONNX model compiles to', () => {
  const { calibrate } = JSON.parse(readFileSync(join(MODELS, 'payments.json'), 'utf8'))
  const { compiled } = compileOnnx(readFileSync(join(MODELS, 'payments-mlp-4k.onnx')), calibrate)
  assert.deepEqual(encodeModelFile(compiled), new Uint8Array(file))
})

test('a card has one encoding, names the model, and any other byte is refused or another model', () => {
  const compiled = decodeModelFile(file)
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
