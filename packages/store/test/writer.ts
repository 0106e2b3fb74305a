/** Child of durability.test.ts: records receipts as fast as it can and prints each id once the write has resolved. */
import { openStore } from '@assay/store'
import { newReceiptAt, requestAt } from './fixtures.ts'

const [, , directory, databaseUrl] = process.argv
const { writer } = await openStore({ directory: directory as string, databaseUrl })
for (let index = 0; ; index++) {
  const request = { ...requestAt(index), authorised: 100n, expiresAt: 2_000_000_000n }
  // Written, or at least claimed, in an earlier life.
  if (!(await writer.claim(request))) continue
  await writer.record(await newReceiptAt(index))
  process.stdout.write(`${request.requestId}\n`)
}
