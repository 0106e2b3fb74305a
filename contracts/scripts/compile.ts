/**
 * Compiles every contract with the solc of this checkout: no download, no network.
 * Writes contracts/artifacts/<Name>.json and the ABIs that packages/protocol exports. Does nothing when the sources,
 * the settings and the compiler are those of the last run.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { solcSettings } from './settings.ts'
import { compileSources, readSources } from './solc.ts'

interface SolcContract {
  abi: readonly unknown[]
  evm: { bytecode: { object: string }; deployedBytecode: { object: string } }
}

/** Contracts whose ABI other packages need. Anything else stays an artifact only. */
const PUBLISHED = [
  'OPG',
  'GenesisAllocator',
  'ParamStore',
  'ModelRegistry',
  'TeeRegistry',
  'NodeBond',
  'ValidatorStaking',
  'Settlement',
  'InferenceEscrow',
  'SpendingGrants',
  'GatewayTill',
  'RevenueSplitter',
  'OpgTimelock',
  'OpgGovernor',
  'OpgVotes',
  'Guardian',
  'PauseClock',
  'SupplyView',
  'VestingBucket',
  'FaultManager',
  'TeeFault',
  'EquivocationFault',
  'DataChallenge',
  'SumFault',
  'RowFault',
  'ZkFault',
  'CanaryRegistry',
  'OpenGradientRegistry',
  'OpenGradientSettlement',
]

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const contractsDir = join(root, 'contracts')
const artifactsDir = join(contractsDir, 'artifacts')
const abiDir = join(root, 'packages/protocol/src/abi')
const stampPath = join(artifactsDir, '.stamp.json')

interface Stamp {
  hash: string
  outputs: string[]
}

function packageVersion(name: string): string {
  const parsed: unknown = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
  return parsed !== null && typeof parsed === 'object' && 'version' in parsed
    ? String(parsed.version)
    : 'unknown'
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Writes through a rename, and only a change, so that a watcher or another process never reads half a file. */
function writeIfChanged(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}

function isCurrent(hash: string): boolean {
  if (!existsSync(stampPath)) return false
  const stamp = JSON.parse(readFileSync(stampPath, 'utf8')) as Stamp
  return stamp.hash === hash && stamp.outputs.every((path) => existsSync(join(root, path)))
}

function camelName(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : `${name.charAt(0).toLowerCase()}${name.slice(1)}`
}

/** TypeScript source of a JSON value in the style of the code base: single quotes, bare keys. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (value === null || typeof value !== 'object') return String(value)
  const fields = Object.entries(value).map(([key, field]) => `${key}: ${literal(field)}`)
  return `{ ${fields.join(', ')} }`
}

function abiSource(name: string, abi: readonly unknown[]): string {
  const rows = abi.map((entry) => `  ${literal(entry)},\n`).join('')
  return `/** ABI of ${name}.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */\nexport const ${camelName(name)}Abi = [\n${rows}] as const\n`
}

function main(): void {
  const sources = readSources('src')
  const script = readFileSync(fileURLToPath(import.meta.url), 'utf8')
  const versions = [packageVersion('solc'), packageVersion('@openzeppelin/contracts')]
  const hash = sha256(JSON.stringify([sources, solcSettings, versions, script]))
  if (isCurrent(hash)) return

  const started = performance.now()
  const output = compileSources<SolcContract>(sources, [
    'abi',
    'evm.bytecode.object',
    'evm.deployedBytecode.object',
  ])
  // Warnings about a dependency are not ours to act on; an error is shown wherever it is.
  const problems = (output.errors ?? []).filter(
    ({ severity, sourceLocation }) =>
      severity === 'error' || (severity === 'warning' && !sourceLocation?.file.startsWith('@openzeppelin/')),
  )
  for (const problem of problems) console.error((problem.formattedMessage ?? problem.message).trimEnd(), '\n')
  if (problems.some(({ severity }) => severity === 'error')) {
    console.error('Contracts do not compile; artifacts and ABIs are left as they were.')
    process.exitCode = 1
    return
  }

  mkdirSync(artifactsDir, { recursive: true })
  mkdirSync(abiDir, { recursive: true })
  // No stamp while files change: a run that dies half-way is repeated by the next one.
  rmSync(stampPath, { force: true })
  const outputs: string[] = []
  const published: string[] = []
  for (const [source, contracts] of Object.entries(output.contracts ?? {})) {
    if (!source.startsWith('src/')) continue
    for (const [name, { abi, evm }] of Object.entries(contracts)) {
      // An interface or an abstract contract has no code: nothing to deploy, and its name may occur twice.
      if (evm.bytecode.object === '') continue
      const artifact = {
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
      }
      const path = `contracts/artifacts/${name}.json`
      if (outputs.includes(path))
        throw new Error(`Two contracts are named ${name}; rename the one in ${source}.`)
      writeIfChanged(join(root, path), `${JSON.stringify(artifact)}\n`)
      outputs.push(path)
      if (!PUBLISHED.includes(name)) continue
      const abiPath = `packages/protocol/src/abi/${camelName(name)}.ts`
      writeIfChanged(join(root, abiPath), abiSource(name, abi))
      outputs.push(abiPath)
      published.push(camelName(name))
    }
  }
  const index = published.sort().map((name) => `export * from './${name}.ts'\n`)
  const head =
    '/** ABIs of the contracts. Written by contracts/scripts/compile.ts; never edit it by hand. */\n'
  writeIfChanged(join(abiDir, 'index.ts'), `${head}${index.join('')}`)
  outputs.push('packages/protocol/src/abi/index.ts')
  writeFileSync(stampPath, `${JSON.stringify({ hash, outputs })}\n`)
  console.log(
    `compiled ${Object.keys(sources).length} sources in ${Math.round(performance.now() - started)} ms`,
  )
}

main()
