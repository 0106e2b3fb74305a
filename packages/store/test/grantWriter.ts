/** Child of grantDurability.test.ts: makes calls under a grant as fast as it can and prints what was acknowledged. */
import { openStore } from '@assay/store'
import type { Hex } from 'viem'
import { addGrant, callOf, grantReceipt, reserveIn } from './grantCalls.ts'

const [, , directory, grantId] = process.argv as [string, string, string, Hex]
const { database, writer } = await openStore({ directory })
await addGrant(database, grantId, { maxTotal: 10n ** 9n })
for (let index = 0; ; index++) {
  const call = await reserveIn(writer, callOf(grantId, 10n))
  if (!call.reserved) throw new Error(call.why)
  process.stdout.write(`${call.requestId} forwarded\n`)
  if (index % 3 === 0) continue
  if (index % 3 === 1) await writer.record(await grantReceipt(call.requestId, 7n))
  else await writer.end(call.requestId, 'failed')
  process.stdout.write(`${call.requestId} ${index % 3 === 1 ? 'finished' : 'failed'}\n`)
}
