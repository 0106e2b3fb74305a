/** Child of durability.test.ts: records receipts as fast as it can and prints each id once the write has resolved. */
import { canonicalJson, receiptLeaf, receiptToJson } from '@assay/protocol'
import { openStore } from '@assay/store'
import { receiptAt } from './fixtures.ts'

const [, , directory, databaseUrl] = process.argv
const { writer } = await openStore({ directory: directory as string, databaseUrl })
for (let index = 0; ; index++) {
  const signed = await receiptAt(index)
  const requestId = signed.receipt.requestId
  await writer.claim({
    requestId,
    payer: signed.receipt.payer,
    scheme: 1,
    authorised: 100n,
    expiresAt: 2_000_000_000n,
    collect: '{}',
    modelId: signed.receipt.modelId,
    nodeUrl: 'http://127.0.0.1:1',
    requestHash: signed.receipt.requestHash,
    instance: 'writer',
  })
  await writer.record({
    requestId,
    receipt: canonicalJson(receiptToJson(signed.receipt)),
    signature: signed.signature,
    leaf: receiptLeaf(signed),
    price: 7n,
    collectAmount: 7n,
    prepaid: false,
  })
  process.stdout.write(`${requestId}\n`)
}
