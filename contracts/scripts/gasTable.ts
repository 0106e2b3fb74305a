/**
 * Holds what calls cost to contracts/gas.json and docs/gas.md:
 *   npm run gas --workspace contracts            fails where a number moved by more than TOLERANCE
 *   npm run gas --workspace contracts -- --write writes both anew
 * The numbers are those that the Solidity tests *Gas.t.sol say (test/GasMeter.sol): whole transactions, mined apart.
 */
import { execFile } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Compilers and neighbours move a number a little; a change of design moves it by more. */
export const TOLERANCE = 0.02
/** Traces of all gas tests: a few megabytes. */
const MAX_OUTPUT = 1 << 28

const contractsDir = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const tablePath = join(contractsDir, 'gas.json')
const pagePath = join(contractsDir, '../docs/gas.md')
const [BEGIN, END] = ['<!-- gas: begin -->', '<!-- gas: end -->']

export type GasTable = Record<string, number>

/** What every `Gas` event of a traced run says, by name. @throws Error where a name stands for two numbers */
export function gasOf(trace: string): GasTable {
  const table: GasTable = {}
  for (const [, name, gas] of trace.matchAll(/Gas\(what: "([^"]+)", gas: (\d+)/g)) {
    if (name === undefined || name in table)
      throw new Error(`The name "${name}" stands for two measurements.`)
    table[name] = Number(gas)
  }
  // Tests run side by side and end in any order.
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What differs between two tables by more than the tolerance, a line each. */
export function drift(noted: GasTable, measured: GasTable): string[] {
  const names = [...new Set([...Object.keys(noted), ...Object.keys(measured)])]
  return names.flatMap((name) => {
    const [before, now] = [noted[name], measured[name]]
    if (before === undefined) return [`${name}: ${now} gas, not in gas.json`]
    if (now === undefined) return [`${name}: in gas.json, not measured`]
    return Math.abs(now - before) > before * TOLERANCE ? [`${name}: ${before} noted, ${now} measured`] : []
  })
}

/** The page with the table in its place. @throws Error where the page has no place for it */
export function withTable(page: string, table: GasTable): string {
  const [head, rest] = page.split(BEGIN)
  const tail = rest?.split(END)[1]
  if (tail === undefined) throw new Error(`docs/gas.md holds no ${BEGIN} … ${END}.`)
  const rows = Object.entries(table).map(([name, gas]) => `| ${name} | ${gas.toLocaleString('en-US')} |`)
  return `${head}${BEGIN}\n| call | gas |\n|---|---:|\n${rows.join('\n')}\n${END}${tail}`
}

export function notedTable(): GasTable {
  return JSON.parse(readFileSync(tablePath, 'utf8')) as GasTable
}

export function notedPage(): string {
  return readFileSync(pagePath, 'utf8')
}

/** Runs the gas tests. @throws Error with the tests' own words where one fails */
export async function measureGas(): Promise<GasTable> {
  const files = globSync('test/*Gas.t.sol', { cwd: contractsDir }).sort()
  const options = { cwd: contractsDir, maxBuffer: MAX_OUTPUT }
  const { stdout } = await promisify(execFile)('hardhat', ['test', 'solidity', ...files, '-vvvv'], options)
  return gasOf(stdout)
}

async function main(): Promise<void> {
  const measured = await measureGas()
  if (process.argv.includes('--write')) {
    writeFileSync(tablePath, `${JSON.stringify(measured, null, 2)}\n`)
    writeFileSync(pagePath, withTable(notedPage(), measured))
    return
  }
  const differences = drift(notedTable(), measured)
  for (const line of differences) console.error(line)
  if (differences.length > 0) process.exitCode = 1
  else
    console.log(`${Object.keys(measured).length} numbers are those of gas.json, within ${TOLERANCE * 100} %.`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
