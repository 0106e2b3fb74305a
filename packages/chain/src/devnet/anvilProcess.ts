import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AssayError } from '@assay/protocol'
import { DEVELOPMENT_MNEMONIC } from '../developmentAccounts.ts'
import { writeDurably } from '../durableFile.ts'
import { commandOf, identityOf, isAlive, readIdentity } from '../processIdentity.ts'
import { rpcCall } from './rpcCall.ts'

export type AnvilOptions = {
  /** The devnet's folder; also marks the process as ours on its command line. */
  folder: string
  chainId: number
  /** Seconds. */
  blockTime: number
  /** Unzipped state to start from. */
  stateFile?: string | undefined
}

export type Anvil = {
  port: number
  pid: number
  /** Settles when the process is gone, with what it said last. */
  ended: Promise<string>
  kill(): Promise<void>
}

/** Loading a long chain takes a while; an empty one is ready in ~100 ms. */
const START_TIMEOUT_MILLISECONDS = 60_000
const PORT_ATTEMPTS = 5

/** The native binary: the package's script would be a second process between us and it, and outlive a SIGKILL. */
function anvilBinary(): string {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `@foundry-rs/anvil-${process.platform}-${architecture}`
  const file = `bin/anvil${process.platform === 'win32' ? '.exe' : ''}`
  try {
    const require = createRequire(import.meta.resolve('@foundry-rs/anvil/package.json'))
    return path.join(path.dirname(require.resolve(`${name}/package.json`)), file)
  } catch (cause) {
    throw new AssayError('The development chain has no binary for this machine.', {
      code: 'config',
      facts: { package: name },
      next: 'Run npm install again with optional dependencies enabled.',
      cause,
    })
  }
}

/** A port nobody listens on right now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function pidFile(folder: string): string {
  return path.join(folder, 'anvil.pid')
}

/** Ends the chain process that a killed devnet left behind in this folder, if it is still there and provably ours. */
export async function endStaleAnvil(folder: string): Promise<boolean> {
  const file = pidFile(folder)
  const stale = readIdentity(file)
  if (stale === undefined || !isAlive(stale)) return false
  if (commandOf(stale.pid)?.includes(path.resolve(folder)) !== true) return false
  process.kill(stale.pid, 'SIGKILL')
  for (let waited = 0; isAlive(stale) && waited < 5000; waited += 20) await delay(20)
  rmSync(file, { force: true })
  return true
}

/**
 * Starts anvil on a random loopback port.
 * @throws AssayError `config` where it does not come up, with its last words.
 */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  let lastError: unknown
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    try {
      return await startOnce(options, await freePort())
    } catch (error) {
      lastError = error
      // Another program may take the port between the probe and the start; anything else will not get better.
      if (!(error instanceof AssayError) || !String(error.facts.output).includes('in use')) break
    }
  }
  throw lastError
}

async function startOnce(options: AnvilOptions, port: number): Promise<Anvil> {
  const folder = path.resolve(options.folder)
  const child = spawn(anvilBinary(), anvilArguments(options, folder, port), {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Its own group: ^C must reach the devnet alone, which takes a last snapshot before it ends the chain.
    detached: true,
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => {
    output = `${output}${chunk.toString('utf8')}`.slice(-2000)
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`${signal ?? `exit ${code}`} ${output}`.trim()))
  })
  let over = false
  void ended.then(() => {
    over = true
  })
  const pid = child.pid
  if (pid === undefined) throw didNotStart(await ended)
  const identity = identityOf(pid)
  if (identity !== undefined) writeDurably(pidFile(folder), JSON.stringify(identity))
  const watcher = watchParent(pid)
  const killOnExit = () => child.kill('SIGKILL')
  process.once('exit', killOnExit)
  void ended.then(() => {
    process.removeListener('exit', killOnExit)
    watcher?.kill('SIGKILL')
  })

  const deadline = Date.now() + START_TIMEOUT_MILLISECONDS
  while (!over) {
    try {
      const answer = await rpcCall(port, 'eth_chainId', [], 2000)
      if (Number(answer) === options.chainId && !over) {
        return {
          port,
          pid,
          ended,
          async kill() {
            child.kill('SIGKILL')
            await ended
            rmSync(pidFile(folder), { force: true })
          },
        }
      }
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      break
    }
    await delay(20)
  }
  throw didNotStart(await ended)
}

function anvilArguments(options: AnvilOptions, folder: string, port: number): string[] {
  const list = ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(options.chainId)]
  list.push('--block-time', String(options.blockTime), '--hardfork', 'osaka', '--slots-in-an-epoch', '1')
  // First come, first mined: a replayed journal then leads to the same outcome as the first time.
  list.push('--order', 'fifo')
  // Base's cap of 2^24 gas per transaction (EIP-7825): what passes here passes there.
  list.push('--enable-tx-gas-limit', '--gas-limit', '60000000')
  list.push('--max-persisted-states', '0', '--cache-path', path.join(folder, 'cache'))
  list.push('--mnemonic', DEVELOPMENT_MNEMONIC, '--accounts', '20', '--balance', '1000000')
  // No page in a browser may talk to it; large raw transactions may.
  list.push('--no-cors', '--no-request-size-limit', '--quiet')
  if (options.stateFile !== undefined) list.push('--load-state', options.stateFile)
  return list
}

/**
 * A shell that waits for this process to vanish (its end of the pipe closes, even on SIGKILL) and then ends the chain.
 * Without it a killed devnet would leave a chain mining until the next start finds it by its pid file.
 */
function watchParent(pid: number): ChildProcess | undefined {
  if (process.platform === 'win32' || !existsSync('/bin/sh')) return undefined
  const watcher = spawn('/bin/sh', ['-c', 'read _; kill -9 "$0"', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watcher.on('error', () => undefined)
  watcher.stdin.on('error', () => undefined)
  watcher.unref()
  return watcher
}

function didNotStart(output: string): AssayError {
  return new AssayError('The development chain did not start.', {
    code: 'config',
    facts: { output: output.slice(-1000) },
    next: 'See what it said above; a damaged snapshot is skipped, so this is most often memory or a missing library.',
  })
}
