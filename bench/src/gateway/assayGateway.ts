import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVELOPMENT_ROLES, developmentAccount, saveNetwork } from '@assay/chain'
import type { LocalNetwork } from '../localNetwork.ts'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

export type Started = { url: string; process: ServerProcess }

async function start(
  local: LocalNetwork,
  name: string,
  program: URL,
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
  return { url, process: await startServerProcess(name, [fileURLToPath(program)], env, `${url}/health`) }
}

/** Starts our gateway as its own process, as it ships, batcher running; over the embedded database where none is named. */
export function startAssayGateway(local: LocalNetwork, databaseUrl?: string): Promise<Started> {
  const program = new URL('main.ts', import.meta.resolve('@assay/gateway'))
  return start(local, 'The gateway', program, databaseSetting(databaseUrl))
}

const databaseSetting = (url: string | undefined): Record<string, string> =>
  url === undefined ? {} : { DATABASE_URL: url }

/** What a gateway of ours does for a call beyond passing it on. */
export const GUARANTEES = ['payment', 'receipt', 'outbox'] as const
export type Guarantee = (typeof GUARANTEES)[number]

/**
 * Starts the gateway's parts as a process of their own, with these of its guarantees, over one upstream; over the embedded
 * database where none is named.
 */
export function startParts(
  local: LocalNetwork,
  upstreamUrl: string,
  guarantees: readonly Guarantee[],
  { databaseUrl, paidBy = 'signature' }: { databaseUrl?: string; paidBy?: 'signature' | 'key' } = {},
): Promise<Started> {
  return start(local, 'The proxy of our parts', new URL('./partsMain.ts', import.meta.url), {
    ...{ BENCH_UPSTREAM: upstreamUrl, BENCH_GUARANTEES: guarantees.join(' '), BENCH_PAID_BY: paidBy },
    ...databaseSetting(databaseUrl),
  })
}

/** What a proxy of this runtime cannot be faster than by much: a pipe of HTTP, one that trusts it blindly, and one that knows nothing of it. */
const PIPES = {
  http: new URL('./httpPipeMain.ts', import.meta.url),
  lean: new URL('./leanPipeMain.ts', import.meta.url),
  bytes: new URL('./bytePipeMain.ts', import.meta.url),
}

/** Starts a bare pipe to an upstream. */
export function startPipe(
  local: LocalNetwork,
  upstreamUrl: string,
  of: keyof typeof PIPES,
): Promise<Started> {
  return start(local, 'The bare pipe', PIPES[of], { BENCH_UPSTREAM: upstreamUrl })
}

/** Starts the one node of the network, at the port that the network file names. */
export function startStubNode(local: LocalNetwork, port: number): Promise<Started> {
  return start(local, 'The stub of a node', new URL('./stubNodeMain.ts', import.meta.url), {}, port)
}
