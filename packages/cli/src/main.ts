import { enableCompileCache } from 'node:module'
import path from 'node:path'

// Kept for the next command and for the servers started from here, so that the same files are not stripped of their types
// and compiled every time: half of what a short command takes.
process.env.NODE_COMPILE_CACHE ??= path.join(
  import.meta.dirname,
  ...['..', '..', '..', 'node_modules', '.cache', 'assay-compiled'],
)
enableCompileCache(process.env.NODE_COMPILE_CACHE)

// Whoever reads may have seen enough, as `head` has. What is under way may move money or serve others, and goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// Not imported above: what is loaded before the cache is on is not kept.
const { runCli } = await import('./index.ts')
process.exitCode = await runCli(process.argv.slice(2))
