import path from 'node:path'
import { type Devnet, startDevnet } from '@assay/chain'
import type { Home } from '../home.ts'
import { openLog } from './logFile.ts'

/** The embedded chain, inside this process; its events go to `logs/chain.log`. */
export async function startChain(home: Home, port: number, chainId: number): Promise<Devnet> {
  const log = openLog(path.join(home.logs, 'chain.log'))
  try {
    const devnet = await startDevnet({
      dir: home.chain,
      port,
      chainId,
      log: (event, facts) =>
        log.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...facts })}\n`),
    })
    return {
      ...devnet,
      async close() {
        await devnet.close()
        log.close()
      },
    }
  } catch (error) {
    log.close()
    throw error
  }
}
