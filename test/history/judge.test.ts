/** The judge of the campaigns sees every kind of broken promise, and none in a history that keeps them all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Receipt, STATUS } from '@assay/protocol'
import { type Hex, keccak256, numberToHex, zeroAddress, zeroHash } from 'viem'
import { judge, type Observed, type Status } from '../e2e/promises.ts'
import { judgeDeposit, type ObservedDeposit } from './judgeDeposit.ts'

const PRICE = 7n
const id = (at: number): Hex => keccak256(numberToHex(at, { size: 32 }))
const [PAID, FREE, FAILED, RECORDED, CREDITED] = [1, 2, 3, 4, 5].map(id) as [Hex, Hex, Hex, Hex, Hex]

function receiptOf(requestId: Hex, price: bigint, seq = 1n): Receipt {
  return {
    version: 1,
    requestId,
    payer: zeroAddress,
    node: zeroAddress,
    key: zeroAddress,
    seq,
    committer: zeroAddress,
    includeBy: 0n,
    modelId: zeroHash,
    priceVersion: 1n,
    engineClass: 0,
    mode: 0,
    status: STATUS.complete,
    requestHash: zeroHash,
    responseHash: zeroHash,
    evidenceHash: zeroHash,
    inputUnits: 1n,
    outputUnits: 1n,
    price,
    valueAtRisk: 0n,
    anchorBlock: 0n,
    anchorHash: zeroHash,
    issuedAt: 0n,
  }
}

const settled: Status = { state: 'final', receipt: {}, payment: { state: 'settled' } }
const failed: Status = { state: 'failed', receipt: null, payment: null }

/**
 * A history as it should be: one answer paid, one that cost nothing, one call that a fault cut off, one whose receipt was
 * durable while its last bytes were lost, one paid by `exact` with the rest as credit.
 */
function honest() {
  const before = { balance: 1000n, credit: 0n, block: 1n }
  return {
    spending: {
      before,
      after: { balance: before.balance - 2n * PRICE - 10n, credit: 10n - PRICE, block: 9n },
      locked: new Map([
        [PAID, [PRICE]],
        [RECORDED, [PRICE]],
        [CREDITED, [10n]],
      ]),
      settled: new Map([
        [PAID, [PRICE]],
        [RECORDED, [PRICE]],
        [CREDITED, [PRICE]],
      ]),
    },
    attempted: new Set([PAID, FREE, FAILED, RECORDED, CREDITED]),
    delivered: new Map([
      // The second is the same answer, given again under the client's name for it.
      [PAID, [receiptOf(PAID, PRICE), receiptOf(PAID, PRICE)]],
      [FREE, [receiptOf(FREE, 0n)]],
      [CREDITED, [receiptOf(CREDITED, PRICE)]],
    ]),
    withoutReceipt: [] as string[],
    statuses: new Map<Hex, Status | undefined>([
      [PAID, settled],
      [FREE, { ...settled, payment: null }],
      [FAILED, failed],
      [RECORDED, settled],
      [CREDITED, settled],
    ]),
    recovered: new Set<Hex>(),
  }
}
type Doctored = ReturnType<typeof honest>

function brokenIn(history: Doctored): string[] {
  const observed: Observed = { ...history, recovered: (requestId) => history.recovered.has(requestId) }
  return judge(observed).broken.map(({ what }) => what)
}

test('a history that keeps every promise is found to keep them', () => {
  assert.deepEqual(brokenIn(honest()), [])
})

const violations: Record<string, { doctor: (history: Doctored) => void; says: RegExp }> = {
  'a payment that went into escrow twice': {
    doctor({ spending }) {
      spending.locked.set(PAID, [PRICE, PRICE])
      spending.after.balance -= PRICE
    },
    says: /its payment locked 2 times/,
  },
  'an answer that was paid out twice': {
    doctor({ spending }) {
      spending.settled.set(PAID, [PRICE, PRICE])
      spending.after.balance -= PRICE
    },
    says: /was paid out 2 times/,
  },
  'an answer that cost more than its receipt says': {
    doctor({ spending }) {
      spending.settled.set(PAID, [PRICE + 1n])
      spending.after.balance -= 1n
    },
    says: /costs 7 and was paid out as \[8\]/,
  },
  'a request that was served twice, under two receipts': {
    doctor: ({ delivered }) => void delivered.set(PAID, [receiptOf(PAID, PRICE), receiptOf(PAID, PRICE, 2n)]),
    says: /was served twice/,
  },
  'a charge for a call that failed': {
    doctor({ spending }) {
      spending.locked.set(FAILED, [PRICE])
      spending.after.balance -= PRICE
    },
    says: /neither delivered nor recorded, and charged/,
  },
  'a charge for an answer that a fault cut off, on the word of the node': {
    doctor: ({ recovered }) => void recovered.add(RECORDED),
    says: /charged by the node's copy of its receipt/,
  },
  'a charge that nobody asked for': {
    doctor({ spending }) {
      spending.locked.set(id(9), [PRICE])
      spending.after.balance -= PRICE
    },
    says: /was charged and never asked for/,
  },
  'a charge for an answer that was free': {
    doctor({ spending }) {
      spending.locked.set(FREE, [PRICE])
      spending.after.balance -= PRICE
    },
    says: /is free and was charged/,
  },
  'an answer that came without a receipt': {
    doctor: ({ withoutReceipt }) => void withoutReceipt.push(FAILED),
    says: /was answered without a receipt/,
  },
  'an acknowledged answer that the gateways have no memory of': {
    doctor: ({ statuses }) => void statuses.set(PAID, undefined),
    says: /was delivered and is undefined/,
  },
  'an acknowledged answer that the gateways call failed': {
    doctor: ({ statuses }) => void statuses.set(PAID, failed),
    says: /was delivered and is failed/,
  },
  'an acknowledged answer that was never paid out': {
    doctor({ spending }) {
      spending.settled.delete(PAID)
      spending.locked.delete(PAID)
      spending.after.balance += PRICE
    },
    says: /costs 7 and was paid out as \[\]/,
  },
  'money that left without an event': {
    doctor({ spending }) {
      spending.after.balance -= 1n
    },
    says: /25 left the payer/,
  },
  'a history in which nothing was delivered': {
    doctor: ({ delivered }) => delivered.clear(),
    says: /nothing was delivered/,
  },
}
for (const [name, { doctor, says }] of Object.entries(violations)) {
  test(`the judge sees ${name}`, () => {
    const history = honest()
    doctor(history)
    mustSay(brokenIn(history), says)
  })
}

function mustSay(broken: readonly string[], expected: RegExp): void {
  assert.ok(
    broken.some((what) => expected.test(what)),
    `expected ${expected}, got:\n${broken.join('\n')}`,
  )
}

const debit = (requestId: Hex, amount = PRICE, state = 'finished') => {
  return { counter: BigInt(requestId), requestId, state, amount, settled: amount > 0n, at: '' }
}

/** Of a deposit: an answer that was sent for twice under one name, one that a fault kept from its client, a failed call. */
function honestDeposit() {
  return {
    answered: new Map([['a name', [receiptOf(PAID, PRICE), receiptOf(PAID, PRICE)]]]),
    withoutReceipt: [] as string[],
    calls: 4,
    records: [debit(PAID), debit(RECORDED), debit(FAILED, 0n, 'failed')],
    spent: 2n * PRICE,
    recovered: new Set<Hex>(),
  }
}

function brokenOf(deposit: ReturnType<typeof honestDeposit>): string[] {
  const observed: ObservedDeposit = { ...deposit, recovered: (requestId) => deposit.recovered.has(requestId) }
  return judgeDeposit(observed).broken.map(({ what }) => what)
}

test('a deposit that kept every promise is found to have kept them', () => {
  assert.deepEqual(brokenOf(honestDeposit()), [])
})

type Deposit = ReturnType<typeof honestDeposit>
const depositViolations: Record<string, { doctor: (deposit: Deposit) => void; says: RegExp }> = {
  'an answer that came without a receipt': {
    doctor: ({ withoutReceipt }) => void withoutReceipt.push('call 3'),
    says: /call 3 was answered without a receipt/,
  },
  'a name that was served twice': {
    doctor: ({ answered }) => void answered.get('a name')?.push(receiptOf(RECORDED, PRICE, 2n)),
    says: /a name was served twice/,
  },
  'an answer that took more than its receipt says': {
    doctor(deposit) {
      deposit.records[0] = debit(PAID, PRICE + 1n)
      deposit.spent += 1n
    },
    says: /costs 7 and took 8/,
  },
  'a charge for a call that failed': {
    doctor(deposit) {
      deposit.records[2] = debit(FAILED, PRICE, 'failed')
      deposit.spent += PRICE
    },
    says: /is failed and was charged/,
  },
  'a charge for an answer that a fault cut off, on the word of the node': {
    doctor: ({ recovered }) => void recovered.add(RECORDED),
    says: /charged by the node's copy of its receipt/,
  },
  'more charges than calls that had no answer': {
    doctor(deposit) {
      deposit.records.push(debit(FREE), debit(CREDITED))
      deposit.spent += 2n * PRICE
    },
    says: /3 calls were charged unseen, where 2 had no answer/,
  },
  'an acknowledged answer that the gateways have no memory of': {
    doctor: ({ records }) => void records.shift(),
    says: /was delivered by key and is undefined/,
  },
  'an acknowledged answer that its deposit never paid': {
    doctor({ records }) {
      records[0] = { ...debit(PAID), settled: false }
    },
    says: /the deposit has not paid it/,
  },
  'two debits of one call': {
    doctor(deposit) {
      deposit.records.push(debit(PAID))
      deposit.spent += PRICE
    },
    says: /two debits have one request id/,
  },
  'money that left a deposit for nothing': {
    doctor(deposit) {
      deposit.spent += 1n
    },
    says: /15 left the deposit, for calls of 14/,
  },
  'a deposit under which nothing was delivered': {
    doctor: ({ answered }) => answered.clear(),
    says: /nothing was delivered by key/,
  },
}
for (const [name, { doctor, says }] of Object.entries(depositViolations)) {
  test(`the judge of deposits sees ${name}`, () => {
    const deposit = honestDeposit()
    doctor(deposit)
    mustSay(brokenOf(deposit), says)
  })
}
