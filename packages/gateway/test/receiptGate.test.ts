import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes } from '@assay/protocol'
import fc from 'fast-check'
import { ReceiptGate } from '../src/relay/receiptGate.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Feeds the bytes in the given pieces; what went out at once, and what was held. */
function feed(wire: Uint8Array, cuts: number[]) {
  const gate = new ReceiptGate()
  const out: Uint8Array[] = []
  const borders = [...new Set(cuts.map((cut) => cut % (wire.length + 1))), 0, wire.length].sort(
    (a, b) => a - b,
  )
  for (let at = 1; at < borders.length; at++) out.push(gate.push(wire.slice(borders[at - 1], borders[at])))
  return { out: concatBytes(out), end: gate.end(), gate }
}

test('whatever the chunk borders, the receipt line and the terminal event are held and all else passes', () => {
  const before = fc.array(
    fc.constantFrom(
      'data: {"a":1}\n\n',
      ': ping\n',
      ': assay-recei\n',
      ':',
      'x: assay-receipt no\n',
      '\n',
      ' : assay-receipt no\n',
      'data: : assay-receipt x\n\n',
      '\u{1F600}\n',
    ),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(before, fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
      // The mark counts only at a line's start, so what precedes it ends a line.
      const head = `${parts.join('')}\n`
      const tail = ': assay-receipt abc_-9\ndata: [DONE]\n\n'
      const { out, end } = feed(encode(head + tail), cuts)
      assert.equal(new TextDecoder().decode(out), head)
      assert.equal(end?.receipt, 'abc_-9')
      assert.equal(new TextDecoder().decode(end?.terminal), 'data: [DONE]\n\n')
      assert.equal(new TextDecoder().decode(end?.held), tail)
    }),
    { numRuns: 500 },
  )
})

test('a stream that begins with the receipt is held from its first byte', () => {
  const { out, end } = feed(encode(': assay-receipt x\ndata: [DONE]\n\n'), [3, 9])
  assert.equal(out.length, 0)
  assert.equal(end?.receipt, 'x')
})

test('bytes behind the terminal event are not part of the answer', () => {
  const { end } = feed(encode(': assay-receipt x\ndata: [DONE]\n\nand more'), [])
  assert.equal(new TextDecoder().decode(end?.held), ': assay-receipt x\ndata: [DONE]\n\n')
})

test('without its terminal event a receipt does not end the stream', () => {
  assert.equal(feed(encode('data: a\n\n: assay-receipt x\ndata: [DONE]\n'), []).end, undefined)
  assert.equal(feed(encode('data: a\n\n: assay-receipt x'), []).end, undefined)
})
