/** What is known of busy payers' nonces, against a chain that uses them, forgets blocks, and does not always answer. */
import assert from 'node:assert/strict'
import { beforeEach, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { CheckedPayment } from '@assay/verify'
import fc from 'fast-check'
import { type Hex, numberToHex, pad } from 'viem'
import { createFreshNonces } from '../src/payment/freshNonces.ts'

type Scheme = CheckedPayment['scheme']
const PAYER = `0x${'Ab'.repeat(20)}` as const
const OTHER = `0x${'cd'.repeat(20)}` as const

let now: number
/** What each block has used; no two are the same, whatever took their place. */
let blocks: { id: number; nonces: Hex[] }[]
let mined: number
let isAway: boolean
let tellsHistory: boolean
/** Of the newest blocks, how many the server does not have yet that is asked for events. */
let behind: number
/** Where they are held up: readings that were made and are not answered yet. */
let waiting: (() => void)[] | undefined
let asked: number
let readings: number

beforeEach((t) => {
  ;(t as TestContext).mock.method(performance, 'now', () => now)
  now = 10_000
  mined = asked = readings = behind = 0
  blocks = [block()]
  isAway = false
  tellsHistory = true
  waiting = undefined
})

const block = (...nonces: Hex[]) => ({ id: mined++, nonces })
const used = () => blocks.flatMap(({ nonces }) => nonces)
const up = (): void => {
  if (isAway) throw new Error('The chain is away.')
}
const chain = {
  async nonceUnused({ paymentNonce }: CheckedPayment) {
    asked++
    up()
    return !used().includes(paymentNonce)
  },
  async noncesUsedBy(_: Hex, since?: { number: bigint; hash: Hex }) {
    readings++
    up()
    if (!tellsHistory) throw new Error('That is too long a history.')
    const place = Number(since?.number ?? -1n)
    if (since !== undefined && since.hash !== numberToHex(blocks[place]?.id ?? mined)) return undefined
    const number = blocks.length - 1
    const known = { number: BigInt(number), hash: numberToHex(blocks[number]?.id ?? 0) }
    const read = {
      nonces: blocks.slice(place + 1, blocks.length - behind).flatMap(({ nonces }) => nonces),
      known,
    }
    await new Promise<void>((resolve) => (waiting === undefined ? resolve() : waiting.push(resolve)))
    return read
  },
}
/** Each begins differently. */
const nonceAt = (index: number): Hex => pad(numberToHex(index, { size: 6 }), { size: 32, dir: 'right' })
const paymentOf = (nonce: Hex, scheme: Scheme = 'exact', payer: Hex = PAYER) =>
  ({ scheme, payer, paymentNonce: nonce }) as CheckedPayment

let made = 1_000_000
const fresh = (): Hex => nonceAt(made++)

/** Calls a tenth of a second apart. */
async function call(nonces: ReturnType<typeof createFreshNonces>, times: number, ...rest: [Scheme?, Hex?]) {
  for (let index = 0; index < times; index++) {
    now += 100
    assert.equal(await nonces.unused(paymentOf(fresh(), ...rest)), true)
    await turn()
  }
}

test('of a busy payer the chain is asked about once a second, not once a call', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 9)
  assert.deepEqual({ asked, readings }, { asked: 9, readings: 1 })
  await call(nonces, 100)
  assert.equal(asked, 9)
  assert.ok(readings >= 12 && readings <= 15, String(readings))
})

test('of one who calls now and then the chain is asked each time, and nothing else', async () => {
  const nonces = createFreshNonces(chain)
  for (let index = 0; index < 50; index++) {
    now += 1000
    assert.equal(await nonces.unused(paymentOf(fresh())), true)
  }
  assert.deepEqual({ asked, readings }, { asked: 50, readings: 0 })
})

test('what was used before anybody looked, or since the last reading, is found', async () => {
  const nonces = createFreshNonces(chain)
  const [early, late] = [fresh(), fresh()]
  blocks.push(block(early))
  await call(nonces, 12)
  assert.equal(await nonces.unused(paymentOf(early)), false)
  blocks.push(block(late))
  await call(nonces, 10)
  assert.equal(await nonces.unused(paymentOf(late)), false)
})

test('what a server tells late that is behind another is found all the same', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 40)
  const spent = fresh()
  blocks.push(block(spent))
  behind = 1
  await call(nonces, 15)
  behind = 0
  blocks.push(block())
  await call(nonces, 20)
  assert.equal(await nonces.unused(paymentOf(spent)), false)
})

test('after a pause the chain is asked until it was read again', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 12)
  const spent = fresh()
  blocks.push(block(spent))
  now += 60_000
  assert.equal(await nonces.unused(paymentOf(spent)), false)
  await call(nonces, 3)
  const before = asked
  await call(nonces, 20)
  assert.equal(asked, before)
})

test('a nonce whose block is gone again is taken, by the word of the chain', async () => {
  const nonces = createFreshNonces(chain)
  const spent = fresh()
  blocks.push(block(spent), block())
  await call(nonces, 12)
  assert.equal(await nonces.unused(paymentOf(spent)), false)
  blocks[1] = block()
  assert.equal(await nonces.unused(paymentOf(spent)), true)
})

test('where the block that was read up to is gone, all is read again', async () => {
  const nonces = createFreshNonces(chain)
  const gone = fresh()
  await call(nonces, 12)
  blocks = [block(gone), block(), block()]
  await call(nonces, 20)
  assert.equal(await nonces.unused(paymentOf(gone)), false)
  const before = asked
  await call(nonces, 20)
  assert.equal(asked, before)
})

test('of Permit2, and of a payer of whom the chain does not tell, it is asked every time', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 50, 'upto')
  assert.deepEqual({ asked, readings }, { asked: 50, readings: 0 })
  tellsHistory = false
  await call(nonces, 70, 'exact', OTHER)
  assert.equal(asked, 120)
  // At 8, 16, 32 and 64 calls.
  assert.equal(readings, 4)
})

test('of whom there is too much to tell the chain is asked every time, and for all of it ever more seldom', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 20)
  const [before, read] = [asked, readings]
  tellsHistory = false
  await call(nonces, 150)
  assert.ok(asked - before >= 130, String(asked - before))
  // Two while what was known was fresh, and then at 8, 16, 32, 64 and 128 calls.
  assert.ok(readings - read <= 8, String(readings - read))
})

test('a chain that is away is believed for a second', async () => {
  const nonces = createFreshNonces(chain)
  await call(nonces, 12)
  isAway = true
  await call(nonces, 4)
  now += 1000
  await assert.rejects(nonces.unused(paymentOf(fresh())), /away/)
  isAway = false
  await call(nonces, 10)
})

test('who was silent for longest is forgotten first, and what a forgotten one used counts no more', async () => {
  const nonces = createFreshNonces(chain, { maxPayers: 2, maxNonces: 4 })
  for (let index = 0; index < 10; index++) {
    await call(nonces, 1, 'exact', PAYER)
    await call(nonces, 1, 'exact', OTHER)
  }
  const before = asked
  await call(nonces, 1, 'exact', PAYER)
  await call(nonces, 1, 'exact', OTHER)
  assert.equal(asked, before)
  await call(nonces, 1, 'exact', `0x${'ef'.repeat(20)}`)
  await call(nonces, 1, 'exact', OTHER)
  assert.equal(asked, before + 1)
  await call(nonces, 1, 'exact', PAYER)
  assert.equal(asked, before + 2)
  // As many as may be kept, read again and again.
  blocks.push(block(fresh(), fresh(), fresh(), fresh()))
  await call(nonces, 20, 'exact', PAYER)
  const kept = asked
  await call(nonces, 20, 'exact', PAYER)
  assert.equal(asked, kept)
  // More than may be kept: of nobody anything is known, and everybody is asked for.
  blocks.push(block(fresh()))
  const all = asked
  await call(nonces, 40, 'exact', PAYER)
  assert.ok(asked - all > 20, String(asked - all))
})

test('whatever happens, a nonce counts as unused for no longer than a second after it was used', async () => {
  const step = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ what: fc.constant('call' as const), at: fc.nat(30), old: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.record({ what: fc.constant('use' as const), at: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat(1500) }) },
    {
      weight: 1,
      arbitrary: fc.record({ what: fc.constant('lose' as const), blocks: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('away' as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('hold' as const) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120 }), async (steps) => {
      const nonces = createFreshNonces(chain, { maxPayers: 2, maxNonces: 20 })
      blocks = [block()]
      isAway = false
      waiting = undefined
      /** When each was used last, and is since. */
      const usedAt = new Map<Hex, number>()
      for (const doing of steps) {
        now += 40
        if (doing.what === 'use') {
          const nonce = nonceAt(doing.at)
          if (usedAt.has(nonce)) continue
          blocks.push(block(nonce))
          usedAt.set(nonce, now)
        } else if (doing.what === 'lose') {
          for (const { nonces: lost } of blocks.splice(Math.max(1, blocks.length - doing.blocks))) {
            for (const nonce of lost) usedAt.delete(nonce)
          }
        } else if (doing.what === 'wait') now += doing.ms
        else if (doing.what === 'away') isAway = !isAway
        else if (doing.what === 'hold') {
          for (const answer of waiting ?? []) answer()
          waiting = waiting === undefined ? [] : undefined
        } else {
          const nonce = doing.old ? nonceAt(doing.at) : fresh()
          const said = await nonces.unused(paymentOf(nonce)).catch(() => undefined)
          const since = usedAt.get(nonce)
          if (said === true) assert.ok(since === undefined || now - since < 1000)
          else if (said === false) assert.ok(since !== undefined)
          else assert.ok(isAway)
        }
        await turn()
      }
    }),
    { numRuns: 300 },
  )
})
