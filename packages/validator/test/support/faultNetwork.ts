/** A chain of faults whose committer's till serves what it is told to, and validators to be run on it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { DeployedDevnetOptions } from '@assay/chain'
import type { Batch, GroupHeader } from '@assay/protocol'
import type { Hex } from 'viem'
import { startFaultChain } from '../../../../test/faults/faultChain.ts'
import { temporaryFolder } from '../../../../test/temporaryFolder.ts'
import { startValidator, type Validator } from '../../src/index.ts'

export type LogEntry = { event: string; facts: Record<string, unknown> }
export type Watching = Validator & {
  /** Resolves with the first entry, past or coming, of this event for which the test holds. */
  said: (event: string, test?: (facts: Record<string, unknown>) => boolean) => Promise<LogEntry['facts']>
}

export type FaultNetwork = Awaited<ReturnType<typeof startFaultNetwork>>

export async function startFaultNetwork({ terms = 'unhurried' }: Pick<DeployedDevnetOptions, 'terms'> = {}) {
  const folder = temporaryFolder('watch')
  const files = new Map<string, Uint8Array>()
  const gateway = createServer((request, response) => {
    const batchId = /^\/v1\/batches\/(0x[0-9a-f]{64})\/data$/.exec(request.url ?? '')?.[1] ?? ''
    const file = files.get(batchId)
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`

  const chain = await startFaultChain(folder, { nodeUrl: gatewayUrl, gatewayUrl, terms })
  const { network, validators } = chain

  /** Commits with fresh bonds, and serves the file unless told otherwise. */
  async function commit(
    batch: Batch,
    options: { groups?: readonly GroupHeader[]; batchId?: Hex; served?: boolean; bond?: bigint } = {},
  ): Promise<Hex> {
    const batchId = options.batchId ?? batch.batchId
    if (options.served !== false) files.set(batchId, batch.file)
    await chain.commit(batch, options)
    return batchId
  }

  /** Validators that run; those that a failed test has left are closed with the network, or the process never ends. */
  const watching = new Set<Awaited<ReturnType<typeof startValidator>>>()

  /** Runs a validator of the network in this process. */
  async function watch(which: number, name = `validator-${which}`): Promise<Watching> {
    const entries: LogEntry[] = []
    const waiting = new Set<() => void>()
    const validator = await startValidator({
      network,
      privateKey: (validators[which] as (typeof validators)[0]).privateKey,
      dataDir: path.join(folder, name),
      port: 0,
      log(event, facts) {
        entries.push({ event, facts })
        for (const look of waiting) look()
      },
    })
    watching.add(validator)
    return {
      ...validator,
      close() {
        watching.delete(validator)
        return validator.close()
      },
      said: (event, test = () => true) =>
        new Promise((resolve) => {
          const look = () => {
            const found = entries.find((entry) => entry.event === event && test(entry.facts))
            if (found === undefined) return
            waiting.delete(look)
            resolve(found.facts)
          }
          waiting.add(look)
          look()
        }),
    }
  }

  return {
    ...chain,
    folder,
    commit,
    /** Lets the file of a batch be had from now on. */
    serve: ({ batchId, file }: Pick<Batch, 'batchId' | 'file'>) => void files.set(batchId, file),
    watch,
    async close(): Promise<void> {
      await Promise.all([...watching].map((validator) => validator.close()))
      gateway.closeAllConnections()
      await Promise.all([chain.close(), new Promise((resolve) => gateway.close(resolve))])
    },
  }
}
