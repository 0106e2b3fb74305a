/**
 * Runs every test of the house and ends with one line: `N passed, N failed, N skipped`.
 *   node scripts/test.mjs [--check] [path or part of a path …]
 * --check also runs `npm run check`, counted as one test. With paths, only the test files whose path holds one of them
 * run, and the Solidity tests only if one of the paths is `contracts`. Works under any Node ≥ 20; the tests themselves
 * run under the Node that the lockfile pins.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const bin = join(root, 'node_modules', '.bin')
const filters = process.argv.slice(2).filter((argument) => argument !== '--check')
const environment = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, FORCE_COLOR: '0' }
const total = { passed: 0, failed: [], skipped: [] }

/** Longest time one test may take, milliseconds; a hang must end the run with a name. */
const TEST_TIMEOUT = 900_000

/** Runs a command, shows its output as it comes, and gives back exit code and output. */
function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...environment, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (stream) => (chunk) => {
      output = (output + chunk).slice(-1_000_000)
      stream.write(chunk)
    }
    child.stdout.on('data', keep(process.stdout))
    child.stderr.on('data', keep(process.stderr))
    child.on('error', (error) => done({ code: 1, output: `${output}\n${error.message}` }))
    child.on('close', (code, signal) => done({ code: code ?? 1, signal, output }))
  })
}

function testFiles() {
  const folders = ['test', 'contracts/test']
  for (const name of readdirSync(join(root, 'packages'))) folders.push(`packages/${name}/test`)
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
    )
    .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
    .sort()
}

async function runCheck() {
  const { code, signal } = await run('npm', ['run', '--silent', 'check'])
  if (code === 0) total.passed++
  else
    total.failed.push({
      file: 'npm run check',
      name: 'format, lint, types, layers, dead code',
      reason: `exit ${signal ?? code}`,
    })
}

async function runNodeTests() {
  const files = testFiles()
  if (files.length === 0) return
  const folder = mkdtempSync(join(tmpdir(), 'assay-test-'))
  const summaryFile = join(folder, 'summary.json')
  const args = ['--test', '--test-concurrency=2', `--test-timeout=${TEST_TIMEOUT}`]
  const reporter = `--test-reporter=${join(root, 'scripts', 'reporter.mjs')}`
  const { code, signal } = await run(join(bin, 'node'), [...args, reporter, ...files], {
    env: { ASSAY_TEST_SUMMARY: summaryFile, TMPDIR: folder },
  })
  const summary = existsSync(summaryFile) ? JSON.parse(readFileSync(summaryFile, 'utf8')) : undefined
  // Tools keep caches there; a test takes everything of its own away again.
  const left = readdirSync(folder).filter((name) => name.startsWith('assay-'))
  rmSync(folder, { recursive: true, force: true })
  if (left.length > 0) {
    total.failed.push({ file: 'node --test', name: 'temporary folders are removed', reason: left.join(', ') })
  }
  if (summary === undefined) {
    total.failed.push({
      file: 'node --test',
      name: 'the run itself',
      reason: `ended without a summary, exit ${signal ?? code}`,
    })
    return
  }
  total.passed += summary.passed
  total.failed.push(...summary.failed)
  total.skipped.push(...summary.skipped)
  if (code !== 0 && summary.failed.length === 0) {
    total.failed.push({
      file: 'node --test',
      name: 'the run itself',
      reason: `exit ${signal ?? code} without a failed test`,
    })
  }
}

/** Counts as Hardhat prints them: `12 passing`, `1 failing`, `2 skipped`. */
async function runSolidityTests() {
  const folder = join(root, 'contracts')
  if (!existsSync(join(folder, 'hardhat.config.ts'))) return
  if (filters.length > 0 && !filters.includes('contracts')) return
  const { code, signal, output } = await run(join(bin, 'hardhat'), ['test', 'solidity'], { cwd: folder })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  const plain = output.replace(/\u001b\[[0-9;]*m/g, '')
  const count = (word) =>
    [...plain.matchAll(new RegExp(`(\\d+) ${word}`, 'g'))].reduce((sum, match) => sum + Number(match[1]), 0)
  const [passed, failed, skipped] = [count('passing'), count('failing'), count('(?:skipped|pending)')]
  total.passed += passed
  for (let at = 0; at < failed; at++) {
    const name = `failure ${at + 1} of ${failed}, named in the output above`
    total.failed.push({ file: 'contracts', name, reason: 'see above' })
  }
  for (let at = 0; at < skipped; at++)
    total.skipped.push({ file: 'contracts', name: `skip ${at + 1} of ${skipped}`, reason: 'see above' })
  if (failed === 0 && (code !== 0 || passed === 0)) {
    const reason = `exit ${signal ?? code}, ${passed} passing: the tests did not run`
    total.failed.push({ file: 'contracts', name: 'hardhat test solidity', reason })
  }
}

if (process.argv.includes('--check')) await runCheck()
await runSolidityTests()
await runNodeTests()

for (const { file, name, reason } of total.skipped) console.log(`skipped: ${file}: ${name}: ${reason}`)
for (const { file, name, reason } of total.failed)
  console.log(`failed: ${file}: ${name}: ${reason.split('\n')[0]}`)
console.log(`${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`)
process.exitCode = total.failed.length > 0 || total.passed === 0 ? 1 : 0
