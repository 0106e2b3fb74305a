import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'

const REQUIREMENTS = path.join(import.meta.dirname, 'requirements.txt')
const CACHE = path.resolve(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache')
/** The SDK brings some sixty packages along. */
const INSTALL_MS = 600_000
const RUN_MS = 300_000

/** An interpreter with the official SDK, in an environment of its own beside the other build caches; a text says why there is none. */
export function pythonWithSdk(): { interpreter: string } | string {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12)
  const folder = path.join(CACHE, `opengradient-${version}`)
  const interpreter = path.join(folder, 'bin', 'python')
  if (existsSync(interpreter)) return { interpreter }
  const fresh = `${folder}.${process.pid}.tmp`
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, { encoding: 'utf8', timeout: INSTALL_MS }).status === 0
  const made =
    run('python3', '-m', 'venv', fresh) &&
    run(path.join(fresh, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS)
  if (made) {
    // The interpreter finds its packages from where it stands; only the scripts beside it name the old place.
    try {
      renameSync(fresh, folder)
    } catch (error) {
      // Another run was faster; its folder holds the same.
      if (!existsSync(interpreter)) throw error
      rmSync(fresh, { recursive: true, force: true })
    }
    return { interpreter }
  }
  rmSync(fresh, { recursive: true, force: true })
  return `the SDK cannot be had here: python3 with venv, and pip install ${readFileSync(REQUIREMENTS, 'utf8').trim()}`
}

/** Runs client.py against a network; resolves with the lines it printed. @throws Error with its last words */
export function runClient(
  interpreter: string,
  settingsFile: string,
  rpcUrl: string,
): Promise<Record<string, unknown>[]> {
  return new Promise((done, failed) => {
    const child = spawn(interpreter, [path.join(import.meta.dirname, 'client.py'), settingsFile], {
      env: { ...process.env, BASE_MAINNET_RPC: rpcUrl, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_MS,
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
    child.on('close', (code) => {
      if (code !== 0) return failed(new Error(`the client ended with ${code}:\n${stdout}\n${stderr}`))
      const lines = stdout.trimEnd().split('\n')
      return done(lines.map((line) => JSON.parse(line) as Record<string, unknown>))
    })
  })
}
