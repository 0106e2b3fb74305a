import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenings } from '../src/payment/openings.ts'

test('an opening is earned by a call that was paid, and taken once', () => {
  const openings = createOpenings()
  assert.equal(openings.take('0xAb'), false)
  openings.earn('0xab')
  openings.earn('0xab')
  assert.equal(openings.take('0xAB'), true)
  assert.equal(openings.take('0xab'), false)
})

test('of very many payers the oldest is forgotten', () => {
  const openings = createOpenings()
  for (let payer = 0; payer <= 50_000; payer++) openings.earn(`0x${payer}`)
  assert.equal(openings.take('0x0'), false)
  assert.equal(openings.take('0x1'), true)
})
