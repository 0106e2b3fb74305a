/** Independent verifiers in Python, asked line by line; they stay out of the product and of its dependencies. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { type LinePeer, linePeer } from './linePeer.ts'

const cacheFolder = join(import.meta.dirname, '../../../../node_modules/.cache')

export type PythonPeer = LinePeer

/** Installs the pinned requirements beside the other build caches. A text says why that is impossible here. */
function install(requirements: string): { folder: string } | string {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cacheFolder, `python-peer-${version}`)
  if (existsSync(folder)) return { folder }
  const fresh = `${folder}.${process.pid}.tmp`
  const options = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:', '--target', fresh]
  const pip = spawnSync('python3', ['-m', 'pip', 'install', ...options, '-r', requirements], {
    encoding: 'utf8',
    timeout: 50_000,
  })
  if (pip.status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    return `pip could not install ${readFileSync(requirements, 'utf8').trim()}`
  }
  try {
    renameSync(fresh, folder)
  } catch (error) {
    // Another run was faster; its folder holds the same.
    if (!existsSync(folder)) throw error
    rmSync(fresh, { recursive: true, force: true })
  }
  return { folder }
}

/** Starts `peer.py` of a folder that also holds its `requirements.txt`; a text says why there is none here. */
export function startPythonPeer(folder: string): PythonPeer | string {
  const installed = install(join(folder, 'requirements.txt'))
  if (typeof installed === 'string') return installed
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn('python3', [join(folder, 'peer.py')], {
    // A panic of a Rust extension would print its backtrace for each hostile mutant.
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, PYTHONPATH: installed.folder, PYTHONDONTWRITEBYTECODE: '1' },
  })
  return linePeer(child)
}
