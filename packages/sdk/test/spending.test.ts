import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { SdkError, sharedSpendingLimit, spendingLimit } from '../src/index.ts'

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

test('where nothing can be put on record nothing is spent, and what is spent already stays counted', () => {
  const place = path.join(folder, 'full')
  const spending = spendingLimit({ maxPerDay: 100n, file: path.join(place, 'spent.json') })
  const open = spending.reserve(60n)
  // A file where the folder was: every write fails, as on a full disk.
  rmSync(place, { recursive: true })
  writeFileSync(place, '')
  open.settle(10n)
  for (let call = 0; call < 3; call++) {
    assert.throws(
      () => spending.reserve(20n),
      (error) => overLimit(error) && /on record/.test(String(error)),
    )
  }
  assert.equal(spending.spent(), 60n, 'neither settled nor used up by what was refused')
})

test('processes side by side and one after another share a limit, and none forgets what the others set aside', () => {
  const shared = path.join(folder, 'shared')
  let at = 1_000_000 * HOUR
  const start = () => sharedSpendingLimit({ maxPerDay: 100n, folder: shared, now: () => at })
  const [one, two] = [start(), start()]
  const open = one.reserve(60n)
  assert.throws(() => two.reserve(41n), overLimit)
  two.reserve(40n).settle(30n)
  open.settle(20n)
  assert.equal(start().spent(), 50n, 'a new one knows what was spent')
  assert.throws(() => start().reserve(51n), overLimit)
  assert.equal(start().spent(), 50n, 'what was refused is not counted')
  at += 26 * HOUR
  start().reserve(100n)
  assert.throws(() => one.reserve(1n), overLimit)
})

test('a count that is long over is removed, and one that cannot be read stops everybody', () => {
  const shared = path.join(folder, 'old')
  const start = () => sharedSpendingLimit({ maxPerDay: 100n, folder: shared })
  start().reserve(1n)
  const [name = ''] = readdirSync(shared)
  writeFileSync(path.join(shared, name), '{"hours":{"5":"1"}}')
  start()
  assert.deepEqual(readdirSync(shared), [name], 'its process may be at work')
  utimesSync(path.join(shared, name), 0, 0)
  start()
  assert.deepEqual(readdirSync(shared), [])
  const other = start()
  writeFileSync(path.join(shared, 'broken.json'), '{')
  assert.throws(() => other.reserve(1n), overLimit)
  rmSync(path.join(shared, 'broken.json'))
  assert.equal(other.spent(), 0n, 'what was refused is not counted')
})
