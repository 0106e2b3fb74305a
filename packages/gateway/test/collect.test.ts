/** In which order payments are collected: on a real database, with a chain that takes none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCHEME } from '@assay/protocol'
import { claimRequests, openDatabase, postponePayment, recordReceipts } from '@assay/store'
import { type Hex, keccak256, numberToHex } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { createCollector } from '../src/batcher/collect.ts'
import type { Context } from '../src/context.ts'
import { createMetrics } from '../src/metrics.ts'
import { createFundsCache } from '../src/payment/fundsCache.ts'
import { createLedger } from '../src/payment/ledger.ts'
import { createFakeChain } from './fakeChain.ts'

test('payments that failed before take no place from those that did not, of either scheme', async (t) => {
  const database = await openDatabase({ directory: temporaryFolder('collect') })
  t.after(() => database.close())
  let calls = 0
  async function owed(scheme: number): Promise<Hex> {
    const requestId = keccak256(numberToHex(++calls))
    const nothing: Hex = `0x${'00'.repeat(32)}`
    const request = {
      requestId,
      payer: `0x${'01'.repeat(20)}`,
      scheme,
      authorised: 10n,
      expiresAt: 2n ** 62n,
    }
    const call = { collect: '{}', modelId: nothing, nodeUrl: 'http://node', requestHash: nothing }
    await claimRequests(database, [{ ...request, ...call, instance: 'here' }])
    const receipt = { requestId, receipt: '{}', signature: nothing, leaf: nothing, price: 5n }
    await recordReceipts(database, [{ ...receipt, collectAmount: 5n, prepaid: false }])
    return requestId
  }
  for (let failed = 0; failed < 4; failed++) {
    await postponePayment(database, await owed(SCHEME.exact), 'drained', { delayMs: 0 })
  }
  const fresh = [await owed(SCHEME.exact), await owed(SCHEME.upto)]
  const chain = createFakeChain()
  const started: string[] = []
  const parts = { database, chain, ledger: createLedger(), funds: createFundsCache(chain) }
  const context = { ...parts, metrics: createMetrics(), log: () => {} } as unknown as Context
  const jobs = {
    has: () => false,
    running: () => started.length,
    start: (name: string) => void started.push(name),
  }
  await createCollector(context, jobs)()
  // As many as may be under way at once.
  assert.equal(started.length, 4)
  assert.deepEqual(
    started.slice(0, 2),
    fresh.map((requestId) => `collect:${requestId}`),
  )
})
