/**
 * Runs check.py with its pinned requirements, which it installs beside the other build caches on first use.
 *   node scripts/spec-check/run.mjs [vectors | bundle <bundle.json> --network <network.json>]
 * Exit code: that of check.py, or 3 where Python or pip is missing or the packages cannot be fetched.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

const here = import.meta.dirname
const requirements = join(here, 'requirements.txt')
const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
const cache = resolve(here, '..', '..', 'node_modules', '.cache', `spec-check-${version}`)

function stop(message, output = '') {
  console.error(`${message}\n${output}`.trim())
  process.exit(3)
}

const python = spawnSync('python3', ['--version'], { encoding: 'utf8' })
if (python.status !== 0) stop('The checker needs python3; install it and run this again.')

if (!existsSync(cache)) {
  // Into a folder of its own: that needs neither the venv module nor a writable system Python.
  const fresh = `${cache}.${process.pid}.tmp`
  const options = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '--target', fresh]
  const pip = spawnSync('python3', ['-m', 'pip', 'install', ...options, '-r', requirements], {
    encoding: 'utf8',
  })
  if (pip.status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    stop('pip could not install the two libraries of the checker.', pip.stderr)
  }
  try {
    renameSync(fresh, cache)
  } catch (error) {
    // Another run was faster; its folder holds the same.
    if (!existsSync(cache)) throw error
    rmSync(fresh, { recursive: true, force: true })
  }
}

const given = process.argv.slice(2)
const check = spawnSync('python3', [join(here, 'check.py'), ...(given.length === 0 ? ['vectors'] : given)], {
  stdio: 'inherit',
  env: { ...process.env, PYTHONPATH: cache, PYTHONDONTWRITEBYTECODE: '1' },
})
process.exit(check.status ?? 1)
