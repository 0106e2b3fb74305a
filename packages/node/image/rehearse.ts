/**
 * Rehearses the image without a container engine: does what the Dockerfile's COPY and RUN lines do, twice, in two empty
 * folders, and compares every byte; then starts the entry point. What it cannot show is the base image and the engine.
 *   node packages/node/image/rehearse.ts [--once]
 * Prints the SHA-256 over all paths and bytes. Ends with status 1 where the two differ or the entry point cannot be loaded.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readRecipe } from './readRecipe.ts'

const root = join(import.meta.dirname, '../../..')
const recipe = readRecipe(readFileSync(join(import.meta.dirname, 'Dockerfile'), 'utf8'))

/** SHA-256 over the sorted paths below a folder, each with its bytes or where it links to. */
function treeHash(folder: string): string {
  const hash = createHash('sha256')
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
  for (const { entry, path } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (entry.isDirectory()) continue
    const content = entry.isSymbolicLink() ? readlinkSync(path) : readFileSync(path)
    hash.update(`${path.slice(folder.length)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** What the image would hold of this commit, in `folder`. */
function build(folder: string): void {
  const archive = join(folder, 'commit')
  mkdirSync(archive)
  const tar = execFileSync('git', ['-C', root, 'archive', '--format=tar', 'HEAD'], { maxBuffer: 1 << 30 })
  execFileSync('tar', ['-x', '-C', archive], { input: tar })
  const image = join(folder, 'image')
  for (const { from, to } of recipe.copies) {
    mkdirSync(dirname(join(image, to)), { recursive: true })
    cpSync(join(archive, from), join(image, to), { recursive: true })
  }
  rmSync(archive, { recursive: true })
  execFileSync('npm', [...recipe.install, '--cache', join(folder, 'cache')], { cwd: image, stdio: 'ignore' })
  execFileSync('find', [join(image, 'node_modules'), '-name', '.package-lock.json', '-delete'])
}

const times = process.argv.includes('--once') ? 1 : 2
const hashes: string[] = []
for (let time = 0; time < times; time++) {
  const folder = mkdtempSync(join(tmpdir(), 'assay-image-'))
  try {
    build(folder)
    const image = join(folder, 'image')
    hashes.push(treeHash(image))
    console.log(`build ${time + 1}: ${hashes.at(-1)}`)
    const env = { PATH: process.env.PATH ?? '' }
    const [command = '', ...args] = recipe.entrypoint
    const started = spawnSync(command, args, { cwd: image, env, encoding: 'utf8', timeout: 60_000 })
    const said = started.stderr.trim().split('\n')[0] ?? ''
    console.log(`entry point without configuration: ${said}`)
    // A module that the image lacks would speak before its configuration does.
    if (!said.startsWith('ASSAY_NETWORK is not set')) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
if (new Set(hashes).size !== 1) process.exitCode = 1
console.log(
  process.exitCode === undefined ? 'the same bytes, and they start' : 'NOT reproducible, or not whole',
)
