import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadNetwork } from '@assay/chain'
import { AssayError, type Network } from '@assay/protocol'
import { CliError, EXIT } from './cliError.ts'

/** Root of the checkout, from which the servers are started. */
export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** Where everything of a local network lives. `ASSAY_HOME` moves it. */
export type Home = {
  root: string
  networkFile: string
  lockFile: string
  /** Processes started by `up`, so that the next run can end what a killed one left behind. */
  childrenFile: string
  logs: string
  chain: string
  /** What callers of `assay proxy` show, and what it spent in the last day. */
  proxyToken: string
  proxySpending: string
  proxyLock: string
  /** What the servers of `assay mcp` spent in the last day, a file each. */
  mcpSpending: string
  data(process: string): string
}

export function assayHome(environment: NodeJS.ProcessEnv = process.env): Home {
  const root = path.resolve(environment.ASSAY_HOME ?? path.join(REPOSITORY, '.assay'))
  return {
    root,
    networkFile: path.join(root, 'network.json'),
    lockFile: path.join(root, 'up.lock'),
    childrenFile: path.join(root, 'children.json'),
    logs: path.join(root, 'logs'),
    chain: path.join(root, 'chain'),
    proxyToken: path.join(root, 'proxy.token'),
    proxySpending: path.join(root, 'proxy-spending.json'),
    proxyLock: path.join(root, 'proxy.lock'),
    mcpSpending: path.join(root, 'mcp-spending'),
    data: (name) => path.join(root, name),
  }
}

/**
 * Makes the folder where there is none yet. It is for its owner alone, for it holds keys of the development accounts and the
 * servers' data. @throws CliError
 */
export function makeHome({ root }: Home): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 })
    chmodSync(root, 0o700)
    accessSync(root, constants.W_OK)
  } catch (cause) {
    throw new CliError('The folder of the network cannot be made, or not be written to.', {
      exitCode: EXIT.usage,
      code: 'bad_home',
      facts: { folder: root, reason: (cause as NodeJS.ErrnoException).code ?? String(cause) },
      next: 'Name another one as ASSAY_HOME.',
      cause,
    })
  }
}

/** The network that a command talks to: `--network`, or the one in the home. @throws CliError */
export function networkFor(file: string | undefined): Network {
  const place = file ?? assayHome().networkFile
  try {
    return loadNetwork(place)
  } catch (cause) {
    if (!(cause instanceof AssayError)) throw cause
    const missing = cause.code === 'not_found'
    const { shortMessage, facts } = cause
    throw new CliError(missing && file === undefined ? 'There is no network here yet.' : shortMessage, {
      // A wrong path is the caller's mistake. Where the home has no usable file, there is no network to reach. Neither is 1,
      // which would say that something was looked at and did not hold.
      exitCode: file === undefined ? EXIT.unreachable : EXIT.usage,
      code: missing ? 'no_network' : 'bad_network',
      facts: missing ? { looked: place } : facts,
      next: nextStep(missing, file),
      cause,
    })
  }
}

function nextStep(missing: boolean, file: string | undefined): string | undefined {
  if (file !== undefined) return 'Give the path of a network.json.'
  return missing
    ? 'Start one with: npm start'
    : 'Restore it, or remove it and run npm start, which writes it anew.'
}
