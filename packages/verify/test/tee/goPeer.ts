/** An independent verifier in Go, asked line by line; it stays out of the product and of its dependencies. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LinePeer, linePeer } from './linePeer.ts'

/** Not among npm's packages, so named apart: knip takes a literal for one. */
const GO = 'go'
const cacheFolder = join(import.meta.dirname, '../../../../node_modules/.cache')

/** Builds the program beside the other build caches. A text says why that is impossible here. */
function build(folder: string, timeout: number): { program: string } | string {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => readFileSync(join(folder, name)))
  const version = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12)
  const program = join(cacheFolder, `go-peer-${version}`)
  if (existsSync(program)) return { program }
  mkdirSync(cacheFolder, { recursive: true })
  const go = spawnSync(GO, ['build', '-o', program, '.'], { cwd: folder, encoding: 'utf8', timeout })
  if (go.error !== undefined && (go.error as NodeJS.ErrnoException).code === 'ENOENT')
    return 'Go is not installed'
  if (existsSync(program) && go.status === 0) return { program }
  return `go build did not finish: ${(go.stderr || `after ${timeout / 1000} s`).slice(0, 200)}`
}

/**
 * Starts the program of a folder with `main.go` and its modules' sums; a text says why there is none here.
 * @param timeout for the build, milliseconds; a first build takes minutes on two cores
 */
export function startGoPeer(folder: string, timeout: number): LinePeer | string {
  const built = build(folder, timeout)
  if (typeof built === 'string') return built
  return linePeer(spawn(built.program, { stdio: ['pipe', 'pipe', 'ignore'] }))
}
