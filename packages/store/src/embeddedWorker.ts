/** The thread of the embedded database: runs one statement after another and answers under the statement's number. */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite, types } from '@electric-sql/pglite'

export type Statement = { id: number; sql: string; values: unknown[] } | { id: number; close: true }
export type Answer =
  | { id: number; rows: object[] }
  | { id: number; error: { message: string; code?: string } }

const port = parentPort
if (port === null) throw new Error('This file is the start of a thread.')

function failure(id: number, error: unknown): Answer {
  const { message, code } = error as { message?: string; code?: unknown }
  return { id, error: { message: message ?? String(error), ...(typeof code === 'string' ? { code } : {}) } }
}

let engine: PGlite | undefined
try {
  engine = await PGlite.create(workerData as string, {
    relaxedDurability: false,
    serializers: { [types.BYTEA]: (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}` },
    parsers: { [types.BYTEA]: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')) },
  })
  // As with a server (`postgres.ts`): every statement has an index, and nothing here ever counts the rows of a table.
  await engine.exec('set enable_seqscan = off')
  port.postMessage({ id: 0, rows: [] } satisfies Answer)
} catch (error) {
  port.postMessage(failure(0, error))
}

port.on('message', async (statement: Statement) => {
  try {
    if (engine === undefined) throw new Error('The database did not open.')
    if ('close' in statement) {
      await engine.close()
      port.postMessage({ id: statement.id, rows: [] } satisfies Answer)
      return port.close()
    }
    const { rows } = await engine.query<object>(statement.sql, statement.values)
    port.postMessage({ id: statement.id, rows } satisfies Answer)
  } catch (error) {
    port.postMessage(failure(statement.id, error))
  }
})
