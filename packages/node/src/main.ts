/** Runs an inference node from its environment; see docs for the variables. */
import { delimiter } from 'node:path'
import { createSender, loadNetwork, publicClientOf, whyNotStarted } from '@assay/chain'
import { startTracing } from '@assay/chain/tracing'
import { AssayError, readOpg } from '@assay/protocol'
import type { Hex } from 'viem'
import { readUpstreams } from './engines/upstream/readUpstreams.ts'
import { startNode } from './startNode.ts'

const log = (event: string, facts: Record<string, unknown>): void => {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...facts }))
}

function required(name: string): string {
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  throw new AssayError(`${name} is not set.`, {
    code: 'config',
    next: `Set ${name} and start the node again.`,
  })
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new AssayError('ASSAY_PORT is not a port.', { code: 'config', facts: { ASSAY_PORT: text } })
}

function minPriceOf(text: string | undefined): bigint | 'never' | undefined {
  if (text === undefined || text === '') return undefined
  if (text === 'never') return text
  const price = readOpg(text)
  if (price !== undefined) return price
  throw new AssayError('ASSAY_FORCE_MIN_PRICE is not an amount of OPG.', {
    code: 'config',
    facts: { ASSAY_FORCE_MIN_PRICE: text },
    next: 'Give a decimal such as 0.5, or never.',
  })
}

try {
  const network = await loadNetwork(required('ASSAY_NETWORK'))
  const upstreams = process.env.ASSAY_UPSTREAMS
  const circuits = process.env.ASSAY_CIRCUITS
  const sender = createSender({ network, privateKey: required('ASSAY_KEY') as Hex })
  const stopTracing = await startTracing('node')
  const node = await startNode({
    network,
    client: publicClientOf(network),
    sender,
    dataDir: required('ASSAY_DATA'),
    rootDir: process.env.ASSAY_SIMULATED_ROOT,
    port: portOf(process.env.ASSAY_PORT ?? '4030'),
    publicUrl: process.env.ASSAY_PUBLIC_URL,
    local: process.env.ASSAY_LOCAL_MODEL !== 'off',
    circuits: circuits === undefined || circuits === '' ? [] : circuits.split(delimiter),
    upstreams: upstreams === undefined || upstreams === '' ? [] : readUpstreams(upstreams, process.env),
    threads: process.env.ASSAY_THREADS === '2' ? 2 : 1,
    forceMinPrice: minPriceOf(process.env.ASSAY_FORCE_MIN_PRICE),
    log,
  })
  let closing = false
  const stop = (): void => {
    if (closing) return
    closing = true
    log('closing', {})
    node
      .close()
      .then(stopTracing)
      .then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error instanceof Error ? error.message : error)
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', stop)
  // Not SIGHUP, by which a closed terminal ends a node that was started in it.
  process.on('SIGUSR2', () => {
    node.rotate().catch((error: unknown) => {
      log('rotation_failed', { reason: error instanceof Error ? error.message : String(error) })
    })
  })
  process.on('SIGINT', stop)
} catch (error) {
  console.error(whyNotStarted(error, 'node'))
  process.exit(1)
}
