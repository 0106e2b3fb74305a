import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Database, type Queryable, type SqlValue, toDriverValues } from './database.ts'
import { lockDirectory } from './directoryLock.ts'
import type { Answer, Statement } from './embeddedWorker.ts'

/**
 * PostgreSQL inside this process, in `directory`, on a thread of its own: a statement takes it milliseconds, which no
 * answer should wait for. PGlite has no lock of its own and two writers lose rows silently, hence ours.
 * `relaxedDurability` stays off, so a commit has reached the operating system when it resolves. Turning `fsync` on would
 * change nothing but the speed: the file system layer under PGlite has no fsync to call. Bytes get a (de)serialiser of
 * their own, because PGlite's goes byte by byte through strings: 40 ms of each batch file.
 * @throws AssayError `conflict` while another process works there.
 */
export async function openEmbedded(directory: string): Promise<Database> {
  mkdirSync(directory, { recursive: true })
  const release = lockDirectory(directory)
  const thread = createThread(join(directory, 'pg'))
  try {
    await thread.opened
  } catch (error) {
    await thread.end()
    release()
    throw error
  }

  /** One transaction or statement at a time: they share one session. */
  let line: Promise<unknown> = Promise.resolve()
  function inLine<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = line.then(work)
    line = result.catch(() => undefined)
    return result
  }
  const session: Queryable = {
    query: <Row extends object>(sql: string, parameters: readonly SqlValue[] = []) =>
      thread.run(sql, toDriverValues(parameters)) as Promise<Row[]>,
  }
  return {
    engine: 'pglite',
    query: (sql, parameters) => inLine(() => session.query(sql, parameters)),
    transaction: (work) =>
      inLine(async () => {
        await session.query('begin')
        try {
          const result = await work(session)
          await session.query('commit')
          return result
        } catch (error) {
          await session.query('rollback')
          throw error
        }
      }),
    async close() {
      await inLine(() => thread.close())
      release()
    },
  }
}

type Thread = {
  opened: Promise<unknown>
  run(sql: string, values: unknown[]): Promise<object[]>
  close(): Promise<void>
  end(): Promise<unknown>
}

function createThread(folder: string): Thread {
  const worker = new Worker(new URL('./embeddedWorker.ts', import.meta.url), { workerData: folder })
  type Waiting = { resolve(rows: object[]): void; reject(error: Error): void }
  const waiting = new Map<number, Waiting>()
  let ids = 0
  let failed: Error | undefined

  function answerTo(id: number): Promise<object[]> {
    return new Promise<object[]>((resolve, reject) => {
      if (failed !== undefined) return reject(failed)
      waiting.set(id, { resolve, reject })
      worker.ref()
    })
  }
  function ask(statement: Statement): Promise<object[]> {
    const answer = answerTo(statement.id)
    worker.postMessage(statement)
    return answer
  }
  function fail(error: Error): void {
    failed ??= error
    for (const { reject } of waiting.values()) reject(failed)
    waiting.clear()
  }
  worker.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    // An idle database keeps no process alive.
    if (waiting.size === 0) worker.unref()
    if (asked === undefined) return
    if ('rows' in answer) asked.resolve(answer.rows)
    else asked.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }))
  })
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', () => fail(new Error('The thread of the embedded database has ended.')))
  return {
    opened: answerTo(0),
    run: (sql, values) => ask({ id: ++ids, sql, values }),
    /** The thread ends by itself: stopping one from outside while another starts may crash Node (nodejs/node#56312). */
    async close() {
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      await ask({ id: ++ids, close: true })
      worker.ref()
      await ended
    },
    end: () => worker.terminate(),
  }
}
