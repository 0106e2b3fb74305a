// Makes the Python environment of each folder named, `.venv` beside its requirements.txt:
//   node scripts/pythonEnvironment.mjs test/clients/python packages/zkml/python
// Where Python, venv or the packages cannot be had it says so and ends well: what needs them is then skipped, by name.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const TIMEOUT_MS = 300_000

const say = (line) => process.stderr.write(`python: ${line}\n`)

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], timeout: TIMEOUT_MS })
  return error === undefined && status === 0
}

function install(folder) {
  const environment = path.join(folder, '.venv')
  const requirements = path.join(folder, 'requirements.txt')
  const stamp = path.join(environment, '.requirements')
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  rmSync(environment, { recursive: true, force: true })
  const python = process.env.ASSAY_PYTHON ?? 'python3'
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
  say(`installing ${requirements} …`)
  if (run(python, ['-m', 'venv', environment]) && run(path.join(environment, 'bin', 'python'), pip)) {
    writeFileSync(stamp, wanted)
    say('done')
  } else {
    rmSync(environment, { recursive: true, force: true })
    say(`${requirements} could not be installed; what needs it will be skipped`)
  }
}

const root = path.resolve(import.meta.dirname, '..')
for (const folder of process.argv.slice(2)) install(path.resolve(root, folder))
