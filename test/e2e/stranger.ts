import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createSender, type DevelopmentAccount, publicClientOf } from '@assay/chain'
import {
  buildBatch,
  deploymentOf,
  groupHeaders,
  inferenceEscrowAbi,
  type Network,
  type SignedReceipt,
  settlementAbi,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { until } from '../until.ts'
import { startBatchServer } from './faults/batchServer.ts'

/** Settlement's batch states (docs/spec.md §9). */
export const BATCH = { committed: 1, attested: 2, final: 3, void: 4, expired: 5 } as const

/** Someone with a till and a server, and no good intentions. */
export type Stranger = {
  address: Address
  /** Commits these receipts as a batch of its own and publishes the batch file. */
  commit(receipts: readonly SignedReceipt[]): Promise<Hex>
  /** Resolves with the state in which the batch rests. */
  judged(batchId: Hex): Promise<number>
  close(): void
}

export async function createStranger(network: Network, account: DevelopmentAccount): Promise<Stranger> {
  const server = await startBatchServer()
  const client = publicClientOf(network)
  const sender = createSender({ network, privateKey: account.privateKey })
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  await sender.send({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'openTill',
    args: [server.url],
  })
  let height = 0n
  return {
    address: account.address,
    async commit(receipts) {
      height += 1n
      const deployment = deploymentOf(network)
      const batch = buildBatch({ deployment, committer: account.address, height, receipts })
      const { header, batchId, file } = batch
      server.publish(batchId, file)
      const args = [height, header.dataHash, groupHeaders(batch)] as const
      await sender.send({ ...settlement, functionName: 'commit', args })
      return batchId
    },
    async judged(batchId) {
      let state = 0
      await until(
        async () => {
          const batch = await client.readContract({ ...settlement, functionName: 'batch', args: [batchId] })
          state = batch.state
          return state === BATCH.final || state === BATCH.void || state === BATCH.expired
        },
        () => `batch ${batchId} to be judged, it is in state ${state}`,
      )
      return state
    },
    close: server.close,
  }
}

export type SecondGateway = { network: Network; close(): Promise<void> }

/** Another operator's gateway on the same chain and the same nodes, as a process of its own. */
export async function startSecondGateway(
  first: Network,
  parameters: { account: DevelopmentAccount; port: number; folder: string },
): Promise<SecondGateway> {
  const { account, port, folder } = parameters
  const network = { ...first, gateway: account.address, gatewayUrl: `http://127.0.0.1:${port}` }
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'network.json')
  writeFileSync(file, JSON.stringify(network))
  const main = path.resolve(import.meta.dirname, '..', '..', 'packages', 'gateway', 'src', 'main.ts')
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      ASSAY_NETWORK: file,
      ASSAY_KEY: account.privateKey,
      ASSAY_DATA: folder,
      ASSAY_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output = (output + chunk).slice(-10_000)
    })
  }
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`the second gateway ended:\n${output}`)
      const response = await fetch(`${network.gatewayUrl}/health`).catch(() => undefined)
      await response?.arrayBuffer()
      return response?.status === 200
    },
    () => `the second gateway to be healthy:\n${output}`,
  )
  return {
    network,
    async close() {
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    },
  }
}
