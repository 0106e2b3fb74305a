/** Child of durability.test.ts: records receipts as fast as it can and prints each id once the write has resolved. */
import { canonicalJson, receiptLeaf, receiptToJson } from '@assay/protocol'
import { claimRequests, openDatabase, recordReceipts } from '@assay/store'
import { receiptAt } from './fixtures.ts'

const database = await openDatabase({ directory: process.argv[2] as string })
for (let index = 0; ; index++) {
  const signed = await receiptAt(index)
  const requestId = signed.receipt.requestId
  await claimRequests(database, [
    {
      requestId,
      payer: signed.receipt.payer,
      scheme: 1,
      authorised: 100n,
      expiresAt: 2_000_000_000n,
      collect: '{}',
      modelId: signed.receipt.modelId,
      nodeUrl: 'http://127.0.0.1:1',
      requestHash: signed.receipt.requestHash,
    },
  ])
  await recordReceipts(database, [
    {
      requestId,
      receipt: canonicalJson(receiptToJson(signed.receipt)),
      signature: signed.signature,
      leaf: receiptLeaf(signed),
      price: 7n,
      collectAmount: 7n,
      prepaid: false,
    },
  ])
  process.stdout.write(`${requestId}\n`)
}
