import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STATUS } from '@assay/protocol'
import { openDatabase, receiptStatus } from '@assay/store'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { STREAM_BODY } from './fixtures.ts'
import { startHarness } from './harness.ts'

test('what a gateway cuts off when it closes is charged as far as it was sent', async () => {
  const directory = temporaryFolder('gateway')
  const harness = await startHarness({ directory, limits: { drainMs: 50 } })
  const chunk = new TextEncoder().encode('data: {"a":1}\n\n')
  const pause = new Promise<void>(() => {})
  harness.node.script = { kind: 'stream', chunks: [chunk], pause, signsLate: true }
  const answer = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY))
  const requestId = answer.headers.get('x-assay-request-id') ?? ''
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  assert.match(new TextDecoder().decode((await reader.read()).value), /"a":1/)
  await harness.close()
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  })
  const database = await openDatabase({ directory: `${directory}/db` })
  const status = await receiptStatus(database, requestId)
  await database.close()
  assert.equal(status?.requestState, 'finished')
  assert.deepEqual([status.signed?.receipt.status, status.signed?.receipt.price], [STATUS.cancelled, 2n])
})
