import { existsSync, statfsSync, statSync } from 'node:fs'
import path from 'node:path'
import { publicClientOf } from '@assay/chain'
import { CONTRACT_NAMES, type Network, teeRegistryAbi } from '@assay/protocol'
import type { Command } from 'commander'
import { type Address, isAddress } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { assayHome, type Home, networkFor } from '../home.ts'
import { networkStatus } from '../networkStatus.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { readHealth } from '../up/health.ts'
import { lockHolder } from '../up/lock.ts'
import { PORT_SETTINGS, portsFrom, portsOfServers, portTaken } from '../up/ports.ts'
import { modelCache } from '../up/pullDefaultModel.ts'

/** One thing that was looked at. `skipped` says why it could not be. */
type Finding = { name: string; outcome: 'passed' | 'failed' | 'skipped'; detail: string; next?: string }

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const
const MIN_FREE_BYTES = 1_000_000_000

export function registerDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description('Look for what keeps the local network from working.')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const findings = await examine(assayHome())
      const ok = findings.every((finding) => finding.outcome !== 'failed')
      if (options.json === true) context.output.out(toJsonText({ ok, findings }))
      else {
        for (const { name, outcome, detail, next } of findings) {
          context.output.out(`  ${MARKS[outcome]} ${name.padEnd(12)} ${detail}\n`)
          if (next !== undefined) context.output.out(`    ${' '.repeat(12)} Next: ${next}\n`)
        }
      }
      context.exit(ok ? EXIT.ok : EXIT.failed)
    })
}

async function examine(home: Home): Promise<Finding[]> {
  const running = lockHolder(home.lockFile) !== undefined
  const local = [node(), disk(home), model(home)]
  if (!running) local.push(...(await freePorts()))
  if (!existsSync(home.networkFile)) {
    return [...local, { name: 'network', outcome: 'skipped', detail: 'none here yet', next: 'npm start' }]
  }
  const network = networkHere()
  if ('outcome' in network) return [...local, network]
  const servers = (await networkStatus(network)).map(
    ({ name, ok, url, detail }): Finding =>
      ok
        ? { name, outcome: 'passed', detail: `${url} ${detail}` }
        : {
            name,
            outcome: 'failed',
            detail: `${url} ${detail}`,
            next: running ? `see ${path.join(home.logs, `${name.replace(' ', '-')}.log`)}` : 'npm start',
          },
  )
  const chainOk = servers[0]?.outcome === 'passed'
  const onChain = chainOk
    ? await Promise.all([contracts(network), ...network.nodes.map(({ url }) => enclaveKey(network, url))])
    : [{ name: 'contracts', outcome: 'skipped', detail: 'the chain does not answer' } as const]
  return [...local, ...servers, ...onChain]
}

/** A file that cannot be used is one of the things that are looked for here. */
function networkHere(): Network | Finding {
  try {
    return networkFor(undefined)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    const { message, facts, next } = error
    const detail = [message, ...Object.values(facts)].join(' ')
    return { name: 'network', outcome: 'failed', detail, ...(next === undefined ? {} : { next }) }
  }
}

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return major >= 23
    ? { name: 'node', outcome: 'passed', detail: process.version }
    : {
        name: 'node',
        outcome: 'failed',
        detail: `${process.version} cannot run TypeScript`,
        next: 'npm start',
      }
}

function disk(home: Home): Finding {
  const folder = existsSync(home.root) ? home.root : path.dirname(home.root)
  try {
    const { bavail, bsize } = statfsSync(folder)
    const free = bavail * bsize
    const detail = `${(free / 1e9).toFixed(1)} GB free in ${folder}`
    return free >= MIN_FREE_BYTES
      ? { name: 'disk', outcome: 'passed', detail }
      : { name: 'disk', outcome: 'failed', detail, next: 'free at least 1 GB, or move ASSAY_HOME' }
  } catch {
    return { name: 'disk', outcome: 'skipped', detail: `${folder} cannot be measured` }
  }
}

function model(home: Home): Finding {
  // The name of the pinned file; its SHA-256 is checked whenever it is loaded.
  const file = path.join(modelCache(home), 'SmolLM2-135M-Instruct.Q4_1.gguf')
  if (existsSync(file)) {
    return {
      name: 'model',
      outcome: 'passed',
      detail: `${Math.round(statSync(file).size / 1e6)} MB in the cache`,
    }
  }
  return { name: 'model', outcome: 'skipped', detail: 'not in the cache', next: 'assay model pull' }
}

async function freePorts(): Promise<Finding[]> {
  return Promise.all(
    portsOfServers(portsFrom({}, process.env)).map(async ({ name, setting, port }): Promise<Finding> => {
      const taken = await portTaken(port)
      if (taken === undefined) return { name: `port ${port}`, outcome: 'passed', detail: `free for ${name}` }
      const next = `assay up ${PORT_SETTINGS[setting].option} <port>`
      return { name: `port ${port}`, outcome: 'failed', detail: `${taken} (wanted by ${name})`, next }
    }),
  )
}

async function contracts(network: Network): Promise<Finding> {
  const client = publicClientOf(network)
  const empty: string[] = []
  for (const name of CONTRACT_NAMES) {
    const code = await client.getCode({ address: network.contracts[name] })
    if (code === undefined || code === '0x') empty.push(name)
  }
  if (empty.length === 0)
    return { name: 'contracts', outcome: 'passed', detail: `all ${CONTRACT_NAMES.length} have code` }
  return {
    name: 'contracts',
    outcome: 'failed',
    detail: `no code at: ${empty.join(', ')}`,
    next: 'the chain was wiped; start again with: assay down; npm start',
  }
}

async function enclaveKey(network: Network, url: string): Promise<Finding> {
  const key = (await readHealth(url))?.key
  if (typeof key !== 'string' || !isAddress(key)) {
    return { name: 'enclave key', outcome: 'skipped', detail: `${url} does not name its key` }
  }
  const record = await publicClientOf(network).readContract({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'key',
    args: [key as Address],
  })
  const [validFrom, revokedAt] = [record[6], record[7]]
  if (validFrom > 0n && revokedAt === 0n) {
    const since = new Date(Number(validFrom) * 1000).toISOString()
    return { name: 'enclave key', outcome: 'passed', detail: `${key} valid since ${since}` }
  }
  const detail = revokedAt > 0n ? `${key} was revoked` : `${key} is not voted in`
  return {
    name: 'enclave key',
    outcome: 'failed',
    detail,
    next: 'the validators vote within seconds; else see their logs',
  }
}
