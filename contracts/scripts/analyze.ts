/**
 * Static analysis of the contracts with Slither, at the version of slither.requirements.txt: `npm run lint:contracts`.
 * Compiles contracts/src with the solc of this checkout, hands Slither the result, and compares what it finds with
 * slither.triage.json: exit 1 on a finding that no entry explains, and on an entry that no finding answers any more.
 * Where there is no Python it says that nothing was checked, and ends with 0.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { solcVersion } from './settings.ts'
import { compileSources, readSources, standardInput } from './solc.ts'

interface Element {
  name: string
  source_mapping: { filename_relative: string; lines: number[] }
  type_specific_fields?: {
    parent?: { name: string; type: string; type_specific_fields?: Element['type_specific_fields'] }
  }
}

interface Finding {
  check: string
  impact: string
  description: string
  elements: Element[]
}

interface Explanation {
  check: string
  /** Where, as `Contract.member`. */
  at: string[]
  reason: string
}

const contractsDir = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(contractsDir, 'cache/slither')
const requirements = join(contractsDir, 'slither.requirements.txt')
const triage = join(contractsDir, 'slither.triage.json')

/** Slither in a virtual environment of its own, made anew when the pinned versions change; undefined without Python. */
function slither(): string | undefined {
  const pinned = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cache, `venv-${pinned}`)
  const command = join(folder, 'bin/slither')
  if (existsSync(command)) return command
  if (spawnSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' }).status !== 0) return
  const install = ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]
  const { status } = spawnSync(join(folder, 'bin/pip'), install, { stdio: 'inherit' })
  if (status === 0) return command
  rmSync(folder, { recursive: true })
  throw new Error('Slither could not be installed; see the lines above.')
}

/** Leaves a build as Hardhat would, with the tests left out. */
function writeBuild(): void {
  const sources = readSources('src')
  const outputs = ['ast', 'abi', 'evm.bytecode', 'evm.deployedBytecode', 'devdoc', 'userdoc']
  const build = {
    solcVersion,
    solcLongVersion: solcVersion,
    input: standardInput(sources, outputs),
    output: compileSources(sources, outputs),
  }
  mkdirSync(join(cache, 'build-info'), { recursive: true })
  writeFileSync(join(cache, 'build-info/src.json'), JSON.stringify(build))
}

function findings(command: string): Finding[] {
  const report = join(cache, 'report.json')
  rmSync(report, { force: true })
  const platform = [
    '--compile-force-framework',
    'hardhat',
    '--ignore-compile',
    '--hardhat-artifacts-directory',
    'cache/slither',
  ]
  const run = spawnSync(command, ['.', ...platform, '--json', report], {
    cwd: contractsDir,
    encoding: 'utf8',
  })
  if (!existsSync(report)) throw new Error(`Slither found nothing to analyse: ${run.stderr.slice(-2000)}`)
  const parsed = JSON.parse(readFileSync(report, 'utf8')) as {
    success: boolean
    error: string | null
    results: { detectors?: Finding[] }
  }
  if (!parsed.success) throw new Error(`Slither failed: ${parsed.error}`)
  // What stands in a dependency is its authors' to judge.
  return (parsed.results.detectors ?? []).filter(({ elements }) => !fileOf(elements).includes('node_modules'))
}

const fileOf = ([first]: Element[]): string => first?.source_mapping.filename_relative ?? ''

/** `Contract.member` of what a finding is about: of a node or a local variable the function it stands in. */
function placeOf({ elements: [first] }: Finding): string {
  if (first === undefined) return '-'
  const parent = first.type_specific_fields?.parent
  if (parent === undefined || parent.type === 'file') return first.name
  const above = parent.type_specific_fields?.parent
  return parent.type === 'contract' ? `${parent.name}.${first.name}` : `${above?.name ?? '-'}.${parent.name}`
}

function compare(found: Finding[]): void {
  const explanations = JSON.parse(readFileSync(triage, 'utf8')) as Explanation[]
  const key = (check: string, at: string) => `${check} ${at}`
  const explained = new Set(explanations.flatMap(({ check, at }) => at.map((place) => key(check, place))))
  const seen = new Set(found.map((finding) => key(finding.check, placeOf(finding))))
  const open = found.filter((finding) => !explained.has(key(finding.check, placeOf(finding))))
  const stale = [...explained].filter((entry) => !seen.has(entry))
  for (const finding of open) {
    const { elements, check, impact, description } = finding
    console.error(
      `${impact} ${check} ${placeOf(finding)} ${fileOf(elements)}:${elements[0]?.source_mapping.lines[0]}`,
    )
    console.error(`  ${description.trim().replaceAll('\n', '\n  ')}\n`)
  }
  for (const entry of stale) console.error(`no longer found, take it out of slither.triage.json: ${entry}`)
  console.log(
    `${found.length} findings, ${found.length - open.length} explained, ${open.length} open, ${stale.length} stale`,
  )
  process.exitCode = open.length + stale.length > 0 ? 1 : 0
}

mkdirSync(cache, { recursive: true })
const command = slither()
if (command === undefined)
  console.log('skipped: no python3 with venv here, so the contracts were not analysed')
else {
  writeBuild()
  compare(findings(command))
}
