/**
 * The package that `npm run pack:sdk` makes, in a folder of its own with nothing but what it says it depends on: what is
 * missing in it, or is only there in the workspaces, shows here.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { packSdk } from '../scripts/pack.ts'
import { manifest, type StubNetwork, startStubNetwork } from './stubNetwork.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const run = promisify(execFile)

type Versions = Record<string, string>
type Packed = {
  exports: Record<string, { types: string; default: string }>
  dependencies: Versions
  peerDependencies: Versions
  peerDependenciesMeta: Record<string, { optional: boolean }>
}

let tarball: string
let stub: StubNetwork
let chainUrl: string
const folder = temporaryFolder('packed')

/** The chain of the stub, for a program in another process. */
const chainServer = createServer(async (request, response) => {
  const parts = await request.toArray()
  const { method, values } = deserialize(Buffer.concat(parts)) as {
    method: keyof StubNetwork['chain']
    values: unknown[]
  }
  const reading: unknown = await Reflect.apply(stub.chain[method], stub.chain, values)
  response.end(serialize(reading))
})

before(async () => {
  tarball = await packSdk(folder)
  stub = await startStubNetwork()
  await once(chainServer.listen(0, '127.0.0.1'), 'listening')
  chainUrl = `http://127.0.0.1:${(chainServer.address() as AddressInfo).port}`
})
after(async () => {
  await stub.close()
  chainServer.close()
})

/** A package as the workspaces have it, wherever npm put it. */
function installed(name: string): string {
  const places = [
    'packages/sdk',
    'packages/protocol',
    'packages/verify',
    'packages/zkml',
    'packages/chain',
    '.',
  ]
  const found = places
    .map((place) => join(ROOT, place, 'node_modules', name))
    .find((place) => existsSync(place))
  assert.ok(found, `${name} is not installed`)
  return found
}

/**
 * An empty project, into which the package is unpacked; beside it what it depends on, and the peers that are named, as npm
 * would put it, but linked from here: no registry need be reached.
 */
async function project(name: string, peers: readonly string[]): Promise<{ place: string; packed: Packed }> {
  const place = join(folder, name)
  const modules = join(place, 'node_modules')
  const own = join(modules, '@assay/sdk')
  mkdirSync(own, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', own, '--strip-components=1'])
  const packed = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as Packed
  for (const dependency of [...Object.keys(packed.dependencies), ...peers]) {
    const link = join(modules, dependency)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(installed(dependency), link)
  }
  writeFileSync(join(place, 'package.json'), '{"private":true,"type":"module"}')
  for (const file of ['plain.js', 'typed.ts']) {
    copyFileSync(join(import.meta.dirname, 'packed', file), join(place, file))
  }
  return { place, packed }
}

const FRAMEWORKS = ['@ai-sdk/openai-compatible', '@langchain/core', '@langchain/openai']

test('the package holds what was compiled and nothing else, and depends on exact versions that are installed here', async () => {
  const { place, packed } = await project('contents', [])
  const own = join(place, 'node_modules/@assay/sdk')
  const files = readdirSync(own, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(own.length + 1))
  const stray = files.filter(
    (file) => !/^(package\.json|README\.md|LICENSE|dist\/[\w-]+\.js|types\/.+\.d\.ts)$/.test(file),
  )
  assert.deepEqual(stray, [])
  for (const { types, default: code } of Object.values(packed.exports)) {
    assert.ok(files.includes(types.slice(2)), types)
    assert.ok(files.includes(code.slice(2)), code)
  }
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'packages/sdk/package.json'), 'utf8')) as Packed
  assert.deepEqual(Object.keys(packed.exports), Object.keys(exports))

  for (const [name, version] of Object.entries(packed.dependencies)) {
    const { version: here } = JSON.parse(readFileSync(join(installed(name), 'package.json'), 'utf8'))
    assert.equal(version, here, name)
  }
  const optional = Object.keys(packed.peerDependencies).filter(
    (name) => packed.peerDependenciesMeta[name]?.optional === true,
  )
  assert.deepEqual(optional, [...FRAMEWORKS, 'secp256k1'])

  const declared = files.filter((file) => file.endsWith('.d.ts'))
  for (const file of declared) {
    const code = readFileSync(join(own, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
    assert.doesNotMatch(code, /(?<!['"$\w])any(?!['"$\w])/, `${file} has a type that could not be told`)
    assert.doesNotMatch(code, /['"](@assay\/|#)/, `${file} names what is not in the package`)
  }
})

test('a strict TypeScript program compiles against its types, and they without skipLibCheck', async () => {
  const { place } = await project('typed', [...FRAMEWORKS, '@types/node'])
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true },
    ...{ target: 'es2023', module: 'nodenext', moduleResolution: 'nodenext', types: ['node'] },
  }
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }))
  const tsc = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', place, '--pretty', 'false'], { cwd: place })
  const output = await tsc.then(
    ({ stdout }) => stdout,
    ({ stdout }: { stdout: string }) => stdout,
  )
  // Other packages' types are their own affair; they lie outside this project.
  const ours = output.split('\n').filter((line) => /^(typed\.ts|node_modules\/@assay\/|error)/.test(line))
  assert.deepEqual(ours, [])
})

/** Runs the JavaScript program; gives what it says. */
async function said(node: string, place: string, frameworks: boolean): Promise<Record<string, unknown>> {
  const { network, payerKey: privateKey } = stub
  const parameters = JSON.stringify({ network, privateKey, model: manifest.name, chainUrl, frameworks })
  const { stdout, stderr } = await run(node, ['plain.js', parameters], { cwd: place, timeout: 60_000 })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

const SAID = {
  chat: ['Paris.', true],
  stream: 'Paris.',
  streamed: true,
  kept: true,
  changed: ['verification_failed', 'responseMatches'],
  tooDear: ['over_limit'],
  mistyped: ['bad_input'],
  withoutNetwork: ['not_found'],
  proxy: 'Paris.',
  strangerAtProxy: 401,
}

test('a JavaScript program pays, verifies and is refused through every entry of it', async () => {
  const { place } = await project('plain', FRAMEWORKS)
  assert.deepEqual(await said(process.execPath, place, true), { ...SAID, ai: true, langchain: true })
})

const node20 = (process.env.PATH ?? '')
  .split(delimiter)
  .map((place) => join(place, 'node'))
  .find(
    (node) => existsSync(node) && execFileSync(node, ['--version'], { encoding: 'utf8' }).startsWith('v20.'),
  )

test('it does so on Node 20, where the frameworks are not installed', {
  skip: node20 === undefined && 'no Node 20 on the PATH',
}, async () => {
  const { place } = await project('node20', [])
  const missing = 'ERR_MODULE_NOT_FOUND'
  const expected = { ...SAID, ai: missing, langchain: missing }
  assert.deepEqual(await said(node20 as string, place, false), expected)
})
