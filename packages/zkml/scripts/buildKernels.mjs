// Compiles kernels/*.ts with AssemblyScript into kernels/build/kernels.wasm. Does nothing when that is up to date.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const room = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const source = path.join(room, 'kernels')
const build = path.join(source, 'build')
const output = path.join(build, 'kernels.wasm')
const stamp = path.join(build, 'sources.sha256')
const require = createRequire(import.meta.url)

const OPTIONS = ['--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert', '--importMemory']

const hash = createHash('sha256').update(OPTIONS.join(' '))
hash.update(readFileSync(require.resolve('assemblyscript/package.json')))
for (const name of readdirSync(source).sort())
  if (name.endsWith('.ts'))
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(path.join(source, name)))
const wanted = hash.digest('hex')

if (!existsSync(output) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const asc = await import('assemblyscript/asc')
  mkdirSync(build, { recursive: true })
  // Written aside and renamed, so that a reader never sees half a module.
  const aside = `${output}.${process.pid}.tmp`
  const { error, stderr } = await asc.main([path.join(source, 'index.ts'), '--outFile', aside, ...OPTIONS])
  if (error) {
    process.stderr.write(stderr.toString())
    throw new Error('the zkml kernels do not compile; the compiler said why above')
  }
  renameSync(aside, output)
  writeFileSync(stamp, wanted)
}
