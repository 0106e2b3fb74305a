import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { saveNetwork } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { createApiKey, openGrant } from '@assay/sdk'
import { type Hex, parseEther } from 'viem'
import { createLocalNetwork, type LocalNetwork } from '../e2e/localNetwork.ts'
import { freePorts } from '../freePorts.ts'

const REPOSITORY = path.resolve(import.meta.dirname, '..', '..')
const CLI = path.join(REPOSITORY, 'packages', 'cli', 'src', 'main.ts')
const EXAMPLES = path.join(REPOSITORY, 'examples')
const PYTHON = path.join(import.meta.dirname, 'python', '.venv', 'bin', 'python')

export const MODEL = 'smollm2-135m-instruct'
export const QUESTION = 'What is the capital of France?'

/** One way in for a client that knows nothing but an address and a key. */
export type Way = { name: 'grant key' | 'proxy'; url: string; key: string }

export type Finished = { code: number; stdout: string; stderr: string }

/** One running network, and everything that a client of any kind needs of it. */
export type World = {
  local: LocalNetwork
  network: Network
  privateKey: Hex
  /** Straight to the gateway with a key under a grant. */
  grant: Way
  /** Through `assay proxy`. */
  proxy: Way
  /** Another `assay proxy`, with a home of its own and these options, on the network as this file tells of it. */
  startProxy(network: Network, ...options: string[]): Promise<Way & { close(): Promise<void> }>
  /** Where the examples run: the network's files are in `.assay`, as in a checkout. */
  folder: string
  /** Runs a program there; with a way, the vendors' own variables name it. */
  run(command: string, args: readonly string[], way?: Way): Promise<Finished>
  example(file: string, way?: Way): Promise<Finished>
  close(): Promise<void>
}

/** The interpreter with the pinned clients, or why there is none. */
export function python(): { path: string } | { missing: string } {
  return existsSync(PYTHON)
    ? { path: PYTHON }
    : { missing: 'no Python clients here; install them with: npm run clients:python' }
}

export async function startWorld(): Promise<World> {
  const local = await createLocalNetwork()
  try {
    return await worldOf(local)
  } catch (error) {
    await local.close()
    throw error
  }
}

async function worldOf(local: LocalNetwork): Promise<World> {
  const { network, home } = local
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  const { privateKey } = demo
  const { grant } = await openGrant({
    network,
    privateKey,
    maxTotal: parseEther('100'),
    maxPerCall: parseEther('1'),
    expiry: BigInt(Math.floor(Date.now() / 1000)) + 3600n,
    deposit: parseEther('10'),
  })
  const key = await createApiKey(network, privateKey, grant)
  const folder = path.join(home, 'examples')
  mkdirSync(folder)
  symlinkSync(home, path.join(folder, '.assay'))
  const proxy = await startProxyCommand({ ASSAY_HOME: home, ASSAY_WALLET_KEY: '' })

  function environment(way: Way | undefined): NodeJS.ProcessEnv {
    return {
      ...process.env,
      ASSAY_HOME: home,
      ASSAY_WALLET_KEY: privateKey,
      PATH: `${path.join(REPOSITORY, 'node_modules', '.bin')}${path.delimiter}${process.env.PATH}`,
      ...(way === undefined
        ? {}
        : {
            OPENAI_BASE_URL: `${way.url}/v1`,
            OPENAI_API_KEY: way.key,
            ANTHROPIC_BASE_URL: way.url,
            ANTHROPIC_API_KEY: way.key,
          }),
    }
  }

  function run(command: string, args: readonly string[], way?: Way): Promise<Finished> {
    return new Promise((done, failed) => {
      const child = spawn(command, args, {
        cwd: folder,
        env: environment(way),
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 300_000,
      })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        stderr += chunk
      })
      child.on('error', failed)
      child.on('close', (code) => done({ code: code ?? -1, stdout, stderr }))
    })
  }

  return {
    local,
    network,
    privateKey,
    grant: { name: 'grant key', url: network.gatewayUrl, key },
    proxy,
    startProxy(seen, ...options) {
      const own = mkdtempSync(path.join(home, 'proxy-'))
      const file = path.join(own, 'network.json')
      saveNetwork(file, seen)
      const environment = { ASSAY_HOME: own, ASSAY_WALLET_KEY: privateKey }
      return startProxyCommand(environment, '--network', file, ...options)
    },
    folder,
    run,
    example(file, way) {
      const place = path.join(EXAMPLES, file)
      const interpreter = file.endsWith('.py') ? PYTHON : file.endsWith('.sh') ? 'sh' : process.execPath
      return run(interpreter, [place], way)
    },
    async close() {
      await proxy.close()
      await local.close()
    },
  }
}

/** `assay proxy`, run as its user runs it. */
async function startProxyCommand(
  environment: Record<'ASSAY_HOME' | 'ASSAY_WALLET_KEY', string>,
  ...options: string[]
): Promise<Way & { close(): Promise<void> }> {
  const port = await freePorts(1)
  const args = [CLI, 'proxy', '--json', '--port', String(port), ...options]
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let complaints = ''
  child.stderr?.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(-10_000)
  })
  for await (const chunk of child.stdout ?? []) {
    output += chunk
    if (output.trimEnd().endsWith('}')) break
  }
  if (output === '') throw new Error(`assay proxy did not start:\n${complaints}`)
  const { url, token } = JSON.parse(output) as { url: string; token: string }
  return {
    name: 'proxy',
    url,
    key: token,
    async close() {
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    },
  }
}
