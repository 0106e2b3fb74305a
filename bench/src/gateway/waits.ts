import type { Network } from '@assay/protocol'
import { openDatabase } from '@assay/store'
import { zeroHash } from 'viem'
import { connectPlainReads } from '../../../packages/gateway/src/chain/plainReads.ts'
import { connectRpc } from '../../../packages/gateway/src/chain/rpc.ts'
import { quantile } from '../table.ts'

const TIMES = 400
const WARM_UP = 400

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

/** What the chain takes to answer the question that it is asked for a payer who is not followed. */
export function chainReadTime(network: Network): Promise<number> {
  const reads = connectPlainReads(connectRpc(network), network.contracts)
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
