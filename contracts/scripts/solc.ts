/** The solc of this checkout over standard JSON, for every script that compiles: no download, no network. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { solcSettings } from './settings.ts'

export type Sources = Record<string, { content: string }>

export interface SolcError {
  severity: 'error' | 'warning' | 'info'
  errorCode?: string
  formattedMessage?: string
  message: string
  /** Bytes into the file, not characters. */
  sourceLocation?: { file: string; start: number; end: number }
}

export interface SolcOutput<Contract> {
  errors?: SolcError[]
  /** File, then name. */
  contracts?: Record<string, Record<string, Contract>>
  sources?: Record<string, { id: number; ast?: unknown }>
}

interface Solc {
  version(): string
  compile(
    input: string,
    callbacks: { import(path: string): { contents: string } | { error: string } },
  ): string
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const contractsDir = join(root, 'contracts')
const require = createRequire(import.meta.url)

/** Every .sol below a folder of contracts/, by its path from there. */
export function readSources(folder: 'src' | 'test'): Sources {
  const paths = globSync(`${folder}/**/*.sol`, { cwd: contractsDir })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
  return Object.fromEntries(
    paths.map((path) => [path, { content: readFileSync(join(contractsDir, path), 'utf8') }]),
  )
}

/** Standard JSON that compiles `sources`, imports of node_modules included by the compiler itself. */
export function standardInput(sources: Sources, outputs: readonly string[], settings: object = solcSettings) {
  const selected = {
    '*': { '*': outputs.filter((name) => name !== 'ast'), '': outputs.includes('ast') ? ['ast'] : [] },
  }
  return { language: 'Solidity', sources, settings: { ...settings, outputSelection: selected } }
}

/** @param outputs names of solc's output selection, e.g. `abi`, `ast` */
export function compileSources<Contract>(
  sources: Sources,
  outputs: readonly string[],
  settings: object = solcSettings,
): SolcOutput<Contract> {
  const solc = require('solc') as Solc
  const output = solc.compile(JSON.stringify(standardInput(sources, outputs, settings)), {
    import(path) {
      const file = join(root, 'node_modules', path)
      if (!existsSync(file)) return { error: `${path} is neither in contracts/ nor in node_modules` }
      return { contents: readFileSync(file, 'utf8') }
    },
  })
  return JSON.parse(output) as SolcOutput<Contract>
}
