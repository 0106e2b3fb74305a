import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVELOPMENT_ROLES, developmentAccount, saveNetwork } from '@assay/chain'
import type { LocalNetwork } from '../localNetwork.ts'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

const besideThis = (program: string) => fileURLToPath(new URL(`./${program}.ts`, import.meta.url))

export type Started = { url: string; process: ServerProcess }

async function start(
  local: LocalNetwork,
  name: string,
  program: string,
  settings: Record<string, string>,
  at?: number,
): Promise<Started> {
  const port = at ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const networkFile = join(local.folder, `network-${port}.json`)
  saveNetwork(networkFile, { ...local.network, gatewayUrl: url })
  const env = {
    ASSAY_NETWORK: networkFile,
    ASSAY_KEY: developmentAccount(DEVELOPMENT_ROLES.gateway).privateKey,
    ASSAY_DATA: join(local.folder, `gateway-${port}`),
    ASSAY_PORT: String(port),
    ...settings,
  }
  return { url, process: await startServerProcess(name, [program], env, `${url}/health`) }
}

/** Starts our gateway as its own process, as it ships, batcher running; over the embedded database where none is named. */
export function startAssayGateway(local: LocalNetwork, databaseUrl?: string): Promise<Started> {
  const program = join(dirname(fileURLToPath(import.meta.resolve('@assay/gateway'))), 'main.ts')
  return start(local, 'The gateway', program, databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl })
}

/** What a gateway of ours does for a call beyond passing it on. */
export const GUARANTEES = ['payment', 'receipt', 'outbox'] as const
export type Guarantee = (typeof GUARANTEES)[number]

/** Starts the gateway's parts as a process of their own, with these of its guarantees, over one upstream. */
export function startParts(
  local: LocalNetwork,
  upstreamUrl: string,
  guarantees: readonly Guarantee[],
): Promise<Started> {
  const settings = { BENCH_UPSTREAM: upstreamUrl, BENCH_GUARANTEES: guarantees.join(' ') }
  return start(local, 'The proxy of our parts', besideThis('partsMain'), settings)
}

/** Starts a pipe to an upstream, which no proxy in this runtime can be faster than by much. */
export function startPipe(
  local: LocalNetwork,
  upstreamUrl: string,
  program: 'bytePipeMain' | 'httpPipeMain',
): Promise<Started> {
  return start(local, 'The bare pipe', besideThis(program), { BENCH_UPSTREAM: upstreamUrl })
}

/** Starts the one node of the network, at the port that the network file names. */
export function startStubNode(local: LocalNetwork, port: number): Promise<Started> {
  return start(local, 'The stub of a node', besideThis('stubNodeMain'), {}, port)
}
