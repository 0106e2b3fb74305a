import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Network } from '@assay/protocol'
import { openDatabase } from '@assay/store'
import { zeroHash } from 'viem'
import { connectPlainReads } from '../../../packages/gateway/src/chain/plainReads.ts'
import { quantile } from '../table.ts'

const TIMES = 400
const WARM_UP = 400
const LINE = Buffer.alloc(1500, 'x')
const sync = promisify(fdatasync)

/** Milliseconds at p50, one after another. */
async function p50Of(work: (at: number) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let at = 0; at < WARM_UP + TIMES; at++) {
    const start = performance.now()
    await work(at)
    if (at >= WARM_UP) times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  return quantile(times, 0.5)
}

/** What the disk takes to sync one line: at the end of a file that grows, and inside one that was made beforehand. */
export async function syncTimes(folder: string): Promise<{ grown: number; inside: number }> {
  async function timeOf(name: string, madeBytes: number): Promise<number> {
    const fd = openSync(join(folder, name), 'w')
    try {
      if (madeBytes > 0) writeSync(fd, Buffer.alloc(madeBytes))
      await sync(fd)
      return await p50Of((at) => {
        writeSync(fd, LINE, 0, LINE.length, at * LINE.length)
        return sync(fd)
      })
    } finally {
      closeSync(fd)
    }
  }
  return { grown: await timeOf('grown', 0), inside: await timeOf('inside', (WARM_UP + TIMES) * LINE.length) }
}

/** What the chain takes to answer the one question that it is asked for every paid call. */
export function chainReadTime(network: Network): Promise<number> {
  const reads = connectPlainReads(network)
  return p50Of(() => reads.payments([zeroHash]))
}

/** What the server takes to commit one row. */
export async function commitTime(databaseUrl: string): Promise<number> {
  const database = await openDatabase({ directory: '', databaseUrl })
  try {
    return await p50Of(() => database.query('update journal set applied = applied'))
  } finally {
    await database.close()
  }
}
