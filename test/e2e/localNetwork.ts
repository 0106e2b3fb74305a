import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadNetwork } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { freePorts } from '../freePorts.ts'
import { until } from '../until.ts'

const repository = path.resolve(import.meta.dirname, '..', '..')
const cli = path.join(repository, 'packages', 'cli', 'src', 'main.ts')

export type CommandResult = { code: number; stdout: string; stderr: string }

/** What a command has written till now, and how it ends. */
export type RunningCommand = { child: ChildProcess; said: CommandResult; ended: Promise<CommandResult> }

/** A whole network in a folder of its own, run by the same command that a user runs. */
export type LocalNetwork = {
  home: string
  network: Network
  /** Runs `assay …` against this network. */
  assay(...args: string[]): Promise<CommandResult>
  /** The same for who wants to meddle while it runs. */
  startAssay(...args: string[]): RunningCommand
  /**
   * Starts the supervisor again after `killEverything` or `stop`; resolves with the milliseconds until /health, but for those
   * in which it waited for a processor.
   */
  start(): Promise<number>
  /**
   * Milliseconds for which its processes and this one stood ready while the processors served others, all in all. What is
   * promised in seconds is promised of a machine that has them to spare.
   */
  starvedMs(): number
  /** SIGKILL for the supervisor and every process it started, at once. */
  killEverything(): Promise<void>
  /** Process ids of the servers of a package: gateway, node or validator. */
  pidsOf(name: string): number[]
  /** Process id of the first of them. @throws Error while it is not running */
  pidOf(name: string): number
  /** What a server has written to its log, e.g. of `gateway` or `validator-1`. */
  logOf(name: string): string
  close(): Promise<void>
}

/** How long the main thread of a process was ready and did not run, milliseconds; 0 where the system does not tell. */
function starved(pid: number): number {
  try {
    // https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat: the second number, in nanoseconds.
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

/** @param settings environment variables for the supervisor, over those that it gets anyway */
export async function createLocalNetwork(settings: Record<string, string> = {}): Promise<LocalNetwork> {
  const home = mkdtempSync(path.join(tmpdir(), 'assay-e2e-'))
  const base = await freePorts(8)
  const environment = {
    ...process.env,
    ASSAY_HOME: home,
    // Shared between runs, so that the model is fetched once a machine.
    ASSAY_MODEL_CACHE: process.env.ASSAY_MODEL_CACHE ?? path.join(repository, '.assay', 'models'),
    ASSAY_CHAIN_PORT: String(base),
    ASSAY_GATEWAY_PORT: String(base + 1),
    ASSAY_VALIDATOR_PORT: String(base + 2),
    // Last, where there is room for a second one.
    ASSAY_NODE_PORT: String(base + 5),
    ...settings,
  }
  const networkFile = path.join(home, 'network.json')
  const health = `http://127.0.0.1:${base + 1}/health`
  let supervisor: ChildProcess | undefined

  async function start(): Promise<number> {
    const began = Date.now()
    const starvedBefore = starved(process.pid)
    const child = spawn(process.execPath, [cli, 'up'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    supervisor = child
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000)
    })
    child.stderr?.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000)
    })
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`assay up ended with ${child.exitCode}:\n${output}`)
        return (await fetch(health).catch(() => undefined))?.status === 200
      },
      () => `the gateway to be healthy:\n${output}`,
    )
    return Date.now() - began - (starvedMs() - starvedBefore)
  }

  function children(): number[] {
    const parsed = JSON.parse(readFileSync(path.join(home, 'children.json'), 'utf8')) as { pid: number }[]
    return parsed.map((child) => child.pid)
  }

  function starvedMs(): number {
    const pids = [process.pid, supervisor?.pid ?? 0, ...children()]
    return pids.reduce((sum, pid) => sum + starved(pid), 0)
  }

  function pidsOf(name: string): number[] {
    // The server's own command line says which of them it is.
    return children().filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`packages/${name}/`)
      } catch {
        return false // It has just ended.
      }
    })
  }

  function startAssay(...args: string[]): RunningCommand {
    const child = spawn(process.execPath, [cli, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // Of a signal that it does not handle, a command ends without a code.
    const said = { code: -1, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => {
      said.stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      said.stderr += chunk
    })
    const ended = once(child, 'close').then(([code]) => ({ ...said, code: (code as number | null) ?? -1 }))
    return { child, said, ended }
  }

  async function killEverything(): Promise<void> {
    const victim = supervisor
    if (victim?.pid === undefined) return
    const gone = once(victim, 'exit')
    for (const pid of [victim.pid, ...children()]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    await gone
    supervisor = undefined
  }

  async function close(): Promise<void> {
    if (supervisor?.exitCode === null && supervisor.signalCode === null) {
      const gone = once(supervisor, 'exit')
      supervisor.kill('SIGTERM')
      await gone
    }
    rmSync(home, { recursive: true, force: true })
  }

  await start().catch(async (reason) => {
    await close()
    throw reason
  })
  return {
    home,
    network: loadNetwork(networkFile),
    start,
    starvedMs,
    killEverything,
    pidsOf,
    pidOf(name) {
      const [pid] = pidsOf(name)
      if (pid === undefined) throw new Error(`no process of packages/${name}`)
      return pid
    },
    logOf(name) {
      const files = [`${name}.log.1`, `${name}.log`].map((file) => path.join(home, 'logs', file))
      return files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('')
    },
    assay: (...args) => startAssay(...args).ended,
    startAssay,
    close,
  }
}
