import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { SdkError, spendingLimit } from '../src/index.ts'

const HOUR = 3_600_000
let folder = ''
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-spending-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const overLimit = (error: unknown) => error instanceof SdkError && error.code === 'over_limit'

test('in no 24 hours is more set aside than the limit, whatever is settled when', () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 30 * HOUR }),
    most: fc.bigInt({ min: 0n, max: 120n }),
    part: fc.integer({ min: 0, max: 100 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let at = 1_000_000 * HOUR
      const spending = spendingLimit({ maxPerDay: 100n, now: () => at })
      const spent: { at: number; amount: bigint }[] = []
      for (const { wait, most, part } of steps) {
        at += wait
        const lately = () =>
          spent.filter((one) => one.at > at - 24 * HOUR).reduce((sum, one) => sum + one.amount, 0n)
        assert.ok(spending.spent() >= lately(), 'nothing of the last 24 hours is forgotten')
        if (spending.spent() + most > 100n) assert.throws(() => spending.reserve(most), overLimit)
        else {
          const price = (most * BigInt(part)) / 100n
          spending.reserve(most).settle(price)
          spent.push({ at, amount: price })
        }
        assert.ok(lately() <= 100n)
      }
    }),
  )
})

test('what is set aside is on disk before it is signed for, and outlives the process', () => {
  const file = path.join(folder, 'spent.json')
  const first = spendingLimit({ maxPerDay: 100n, file })
  const open = first.reserve(70n)
  assert.match(readFileSync(file, 'utf8'), /"70"/)
  assert.throws(() => spendingLimit({ maxPerDay: 100n, file }).reserve(31n), overLimit)
  open.settle(10n)
  open.settle(0n)
  assert.equal(spendingLimit({ maxPerDay: 100n, file }).spent(), 10n)
})

test('a file that cannot be read stops the spender; it is never taken for an empty one', () => {
  for (const [at, content] of ['', '{}', '{"hours":{"1":-5}}', '{"hours":{"x":"1"}}', '[]'].entries()) {
    const file = path.join(folder, `broken-${at}.json`)
    writeFileSync(file, content)
    assert.throws(() => spendingLimit({ maxPerDay: 100n, file }), overLimit, content)
  }
})
