import { enableCompileCache } from 'node:module'
import path from 'node:path'

// Kept for the next command and for the servers started from here, so that the same files are not stripped of their types
// and compiled every time: half of what a short command takes.
process.env.NODE_COMPILE_CACHE ??= path.join(
  import.meta.dirname,
  ...['..', '..', '..', 'node_modules', '.cache', 'assay-compiled'],
)
enableCompileCache(process.env.NODE_COMPILE_CACHE)

// Not imported above: what is loaded before the cache is on is not kept.
const { runCli } = await import('./index.ts')
process.exitCode = await runCli(process.argv.slice(2))
