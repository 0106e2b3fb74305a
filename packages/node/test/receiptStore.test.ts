/** A receipt is on the disk before anybody hears of it, and the disk holds nothing else up. */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Hex, numberToHex } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { makeReceipt, signReceipt } from '../../verify/test/world.ts'
import { openReceiptStore } from '../src/receiptStore.ts'

const receiptOf = (number: number) =>
  signReceipt(makeReceipt({ requestId: numberToHex(number, { size: 32 }) as Hex, seq: BigInt(number) }))

/** A disk that writes when it is told to. */
function slowDisk() {
  const syncs: PromiseWithResolvers<void>[] = []
  const sync = (): Promise<void> => {
    const one = Promise.withResolvers<void>()
    syncs.push(one)
    return one.promise
  }
  return { syncs, sync }
}

async function isOver(promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), turn(false)])
}

test('a receipt is found when the disk has it, also by whoever opens what is on the disk', async (t) => {
  const dir = temporaryFolder('receipts')
  const store = openReceiptStore(dir)
  t.after(() => store.close())
  const signed = await receiptOf(1)
  const saved = store.save(signed)
  assert.equal(store.find(signed.receipt.requestId), undefined)
  await saved
  assert.deepEqual(store.find(signed.receipt.requestId), signed)
  const copy = temporaryFolder('receipts')
  cpSync(dir, copy, { recursive: true })
  const other = openReceiptStore(copy)
  t.after(() => other.close())
  assert.deepEqual(other.find(signed.receipt.requestId), signed)
  await assert.rejects(store.save(signed), /UNIQUE/)
})

test('what is written while the disk is busy waits for its next turn, all of it together', async (t) => {
  const { syncs, sync } = slowDisk()
  const store = openReceiptStore(temporaryFolder('receipts'), sync)
  t.after(() => store.close())
  const signed = await Promise.all([1, 2, 3].map(receiptOf))
  const [first, ...later] = signed.map(async (one, at) => {
    if (at > 0) await turn()
    await store.save(one)
  })
  await turn()
  await turn()
  assert.equal(syncs.length, 1, 'what was written since may be missed by the one under way')
  syncs[0]?.resolve()
  await first
  assert.equal(await isOver(Promise.race(later)), false)
  assert.equal(syncs.length, 2)
  syncs[1]?.resolve()
  await Promise.all(later)
  for (const { receipt } of signed) assert.notEqual(store.find(receipt.requestId), undefined)
})

test('what the disk did not take is not told of, and does not keep others from it', async (t) => {
  const { syncs, sync } = slowDisk()
  const store = openReceiptStore(temporaryFolder('receipts'), sync)
  t.after(() => store.close())
  const [lost, kept] = [await receiptOf(1), await receiptOf(2)]
  const first = store.save(lost)
  await turn()
  const second = store.save(kept)
  syncs[0]?.reject(new Error('EIO'))
  await assert.rejects(first, /EIO/)
  await turn()
  syncs[1]?.resolve()
  await second
  assert.equal(store.find(lost.receipt.requestId), undefined)
  assert.deepEqual(store.find(kept.receipt.requestId), kept)
})
