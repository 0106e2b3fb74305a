// Makes the Python environment of the client table beside this file: `npm run clients:python`. Where Python, venv or the
// packages cannot be had it says so and ends well: the rows of Python's clients are then skipped, by name.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const folder = import.meta.dirname
const environment = path.join(folder, '.venv')
const requirements = path.join(folder, 'requirements.txt')
const stamp = path.join(environment, '.requirements')
const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex')
const TIMEOUT_MS = 300_000

const say = (line) => process.stderr.write(`clients: ${line}\n`)

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], timeout: TIMEOUT_MS })
  return error === undefined && status === 0
}

if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0)
rmSync(environment, { recursive: true, force: true })
const python = process.env.ASSAY_PYTHON ?? 'python3'
const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
say(`installing Python's clients into ${path.relative(process.cwd(), environment)} …`)
if (run(python, ['-m', 'venv', environment]) && run(path.join(environment, 'bin', 'python'), pip)) {
  writeFileSync(stamp, wanted)
  say('done')
} else {
  rmSync(environment, { recursive: true, force: true })
  say("Python's clients could not be installed; their rows will be skipped")
}
