import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { duePayments, openDatabase, outboxLoad, receiptStatus } from '@assay/store'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'

test('what was acknowledged survives kill -9 of the writer, with its payment, and the lock is taken over', async () => {
  const directory = temporaryFolder('store')
  const acknowledged: string[] = []
  for (const stopAfter of [1, 23, 60]) {
    const child = spawn(process.execPath, [new URL('./writer.ts', import.meta.url).pathname, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    let seen = 0
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line)
      if (++seen === stopAfter) child.kill('SIGKILL')
    }
    await exited
  }
  const database = await openDatabase({ directory })
  try {
    for (const requestId of new Set(acknowledged)) {
      const status = await receiptStatus(database, requestId)
      assert.equal(status?.requestState, 'finished')
      assert.equal(status.signed?.receipt.requestId, requestId)
      assert.equal(status.receiptState, 'outbox')
      assert.equal(status.payment?.state, 'none')
    }
    const { waiting } = await outboxLoad(database)
    assert.ok(waiting >= new Set(acknowledged).size)
    assert.equal((await duePayments(database, 1000)).length, waiting)
  } finally {
    await database.close()
  }
})
