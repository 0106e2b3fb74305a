/** The recipe of the node's image: everything that decides its bytes is named by a digest or by this repository. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readRecipe } from '../image/readRecipe.ts'

const root = join(import.meta.dirname, '../../..')
const image = join(root, 'packages/node/image')
const dockerfile = readFileSync(join(image, 'Dockerfile'), 'utf8')
const recipe = readRecipe(dockerfile)

test('the base image is one image, named by its digest', () => {
  assert.match(recipe.base, /^node:24-bookworm-slim@sha256:[0-9a-f]{64}$/)
  // A syntax line would have the builder fetch its front end by a tag.
  assert.doesNotMatch(dockerfile, /^#\s*syntax\s*=/m)
  assert.throws(() => readRecipe('FROM a\nFROM b'))
  assert.throws(() => readRecipe('FROM a\nADD https://example.com/x /x'))
})

test('nothing is fetched but what the lock file pins, and no script of a package runs', () => {
  assert.deepEqual(recipe.contexts, ['weights'])
  const fetching = /\b(apt|apt-get|apk|curl|wget|pip|git|npx|npm install)\b/
  assert.ok(recipe.runs.every((run) => !fetching.test(run)))
  assert.equal(recipe.install[0], 'ci')
  for (const flag of ['--omit=dev', '--ignore-scripts']) assert.ok(recipe.install.includes(flag))
  type Locked = { integrity?: string; link?: boolean; dev?: boolean; os?: string[]; cpu?: string[] }
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  // The image is built for linux/amd64; what is for other machines is never fetched.
  const installed = Object.entries(packages).filter(
    ([name, { link, dev, os = ['linux'], cpu = ['x64'] }]) =>
      name.includes('node_modules/') && !link && !dev && os.includes('linux') && cpu.includes('x64'),
  )
  assert.ok(installed.length > 100)
  for (const [name, { integrity }] of installed) assert.match(integrity ?? '', /^sha512-/, name)
})

test('what is copied exists in the repository, the entry point among it, and it does not run as root', () => {
  for (const { from } of recipe.copies) assert.ok(existsSync(join(root, from)), from)
  const [command, script = ''] = recipe.entrypoint
  assert.equal(command, 'node')
  assert.ok(recipe.copies.some(({ to }) => script.startsWith(to)) && existsSync(join(root, script)))
  assert.match(recipe.user ?? 'root', /^[1-9]\d*:[1-9]\d*$/)
})

test('the build script refuses a base without a digest, and says what it lacks', () => {
  const run = (env: Record<string, string>, ...args: string[]) =>
    spawnSync('sh', [join(image, 'build.sh'), ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
      encoding: 'utf8',
    })
  const mutable = run({ BASE_IMAGE: 'node:24-bookworm-slim', WEIGHTS: '.' }, 'out.tar')
  assert.equal(mutable.status, 2)
  assert.match(mutable.stderr, /digest/)
  assert.match(run({}, 'out.tar').stderr, /WEIGHTS/)
  assert.match(run({ WEIGHTS: '.' }).stderr, /usage/)
})
