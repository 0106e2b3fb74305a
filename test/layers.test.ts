/**
 * The layer rule of this house, read from the import statements themselves: `protocol` stands on nothing of ours,
 * `verify` only on `protocol`, cryptographic primitives are called from those two alone, and nothing imports `cli`.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')
const PACKAGES = join(ROOT, 'packages')

/** Which packages of ours each package may import. A package that is not listed may import all but `cli`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  protocol: [],
  zkml: ['protocol'],
  verify: ['protocol', 'zkml'],
  store: ['protocol', 'verify'],
  // The compiled contracts are what a deployment deploys.
  chain: ['protocol', 'verify', 'contracts'],
}
const CRYPTO_PACKAGES = new Set(['protocol', 'verify', 'zkml'])

/** An enclave is the place that holds keys, so the code that runs inside one may sign; nothing else of a node may. */
const CRYPTO_ROOMS = ['packages/node/src/enclaves/']

/** Modules that are primitives through and through: no name may be taken from them. */
const CRYPTO_MODULES = [
  /^@noble\//,
  /^tiny-secp256k1$/,
  /^@scure\//,
  /^@peculiar\//,
  /^ethereum-cryptography/,
  /^ox(\/|$)/,
  /^secp256k1(\/|$)/,
  /^hash-wasm$/,
  /^cbor2(\/|$)/,
]

/** Modules of which only the names given may be used: random bytes and constant-time comparison decide nothing. */
const CRYPTO_MODULE_NAMES: Record<string, readonly string[]> = {
  'node:crypto': ['randomBytes', 'randomUUID', 'randomInt', 'timingSafeEqual'],
  crypto: [],
}

/**
 * Names of viem that hash, sign or recover. A wallet account (`privateKeyToAccount`) is not among them: sending a
 * transaction is the chain's own protocol, and no statement of this network is signed that way.
 */
const VIEM_PRIMITIVES = new Set([
  'keccak256',
  'sha256',
  'ripemd160',
  'hashTypedData',
  'hashStruct',
  'hashDomain',
  'hashMessage',
  'sign',
  'signMessage',
  'signTypedData',
  'signAuthorization',
  'recoverAddress',
  'recoverPublicKey',
  'recoverMessageAddress',
  'recoverTypedDataAddress',
  'verifyHash',
  'verifyMessage',
  'verifyTypedData',
])

type Import = { file: string; module: string; names: string[]; typeOnly: boolean }

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.split(sep).includes('node_modules'))
    .map((name) => join(folder, name))
}

/** Import and re-export statements, side-effect imports, and `import('…')`, of one source text. */
function importsOf(source: string, file: string): Import[] {
  const found: Import[] = []
  const statement = /^(?:import|export)\s+(type\s+)?([^'"`;=]*?)\s*from\s*['"]([^'"]+)['"]/gm
  for (const [, type, clause, module] of source.matchAll(statement)) {
    const braces = /\{([^}]*)\}/.exec(clause ?? '')?.[1] ?? ''
    const outside = (clause ?? '')
      .replace(/\{[^}]*\}/, '')
      .replaceAll(',', ' ')
      .trim()
    const names = braces
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
      .map((name) => (name.split(/\s+as\s+/)[0] as string).trim())
    // A default or namespace import hides which names are used, so it stands for all of them.
    if (outside !== '') names.push('*')
    const typeOnly = type !== undefined || names.length === 0
    found.push({ file, module: module as string, names, typeOnly })
  }
  for (const [, module] of source.matchAll(/^import\s*['"]([^'"]+)['"]/gm)) {
    found.push({ file, module: module as string, names: ['*'], typeOnly: false })
  }
  for (const [, module] of source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)(?!\.\w+\b\s*[,;>)\]|&])/g)) {
    found.push({ file, module: module as string, names: ['*'], typeOnly: false })
  }
  return found
}

function isCrypto({ module, names, typeOnly }: Import): string | undefined {
  if (typeOnly) return undefined
  if (CRYPTO_MODULES.some((pattern) => pattern.test(module))) return module
  const allowed = CRYPTO_MODULE_NAMES[module]
  if (allowed !== undefined) return names.find((name) => !allowed.includes(name))
  if (/^viem(\/|$)/.test(module)) {
    return names.find((name) => VIEM_PRIMITIVES.has(name) || (name === '*' && module === 'viem'))
  }
  return undefined
}

/** Entry points that a workspace of ours declares. */
function exportsOf(name: string): string[] {
  const folder = name === 'contracts' ? join(ROOT, name) : join(PACKAGES, name)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { exports?: object }
  return Object.keys(manifest.exports ?? {})
}

const packages = readdirSync(PACKAGES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
const imports = packages.flatMap((name) =>
  sourceFiles(join(PACKAGES, name, 'src')).flatMap((path) => {
    const file = relative(ROOT, path).split(sep).join('/')
    return importsOf(readFileSync(path, 'utf8'), file).map((entry) => ({ ...entry, package: name }))
  }),
)

test('the reader of imports sees every form of an import', () => {
  const source = [
    `import type { A } from 'one'`,
    `import { type B, keccak256 as hash } from 'viem'`,
    `import crypto, { createHash } from 'node:crypto'`,
    `import {\n  c,\n  d,\n} from 'three'`,
    `export * from './four.ts'`,
    `import 'five'`,
    `const six = await import('six')`,
    `import { type E } from 'seven'`,
  ].join('\n')
  const seen = importsOf(source, 'x.ts')
  assert.deepEqual(
    seen.map(({ module, names, typeOnly }) => [module, names.join(' '), typeOnly]),
    [
      ['one', 'A', true],
      ['viem', 'keccak256', false],
      ['node:crypto', 'createHash *', false],
      ['three', 'c d', false],
      ['./four.ts', '*', false],
      ['seven', '', true],
      ['five', '*', false],
      ['six', '*', false],
    ],
  )
  assert.deepEqual(
    seen.map((entry) => isCrypto(entry)),
    [undefined, 'keccak256', 'createHash', undefined, undefined, undefined, undefined, undefined],
  )
})

test('packages import only the packages below them, and nothing imports cli', () => {
  const wrong = imports.filter((entry) => {
    const target = /^@assay\/([^/]+)/.exec(entry.module)?.[1]
    if (target === undefined || target === entry.package) return false
    const allowed = MAY_IMPORT[entry.package]
    return target === 'cli' || target === 'bench' || (allowed !== undefined && !allowed.includes(target))
  })
  assert.deepEqual(
    wrong.map((entry) => `${entry.file} imports ${entry.module}`),
    [],
  )
})

/** Whose work it is to serve OpenGradient's wire format; what is signed, checked or decided on Assay never hangs on it. */
const SERVES_OPENGRADIENT = ['chain', 'cli', 'gateway', 'node', 'store']

test('nothing that is agreed, verified or voted on depends on the profile of OpenGradient', () => {
  const room = 'packages/protocol/src/opengradient/'
  const wrong = imports.filter((entry) => {
    if (entry.module === '@assay/protocol/opengradient') return !SERVES_OPENGRADIENT.includes(entry.package)
    if (entry.package !== 'protocol' || entry.file.startsWith(room)) return false
    return entry.module.startsWith('.') && entry.module.includes('opengradient/')
  })
  assert.deepEqual(
    wrong.map((entry) => `${entry.file} imports ${entry.module}`),
    [],
  )
})

test('no package reaches into the files of another', () => {
  const wrong = imports.filter((entry) => {
    const inside = /^@assay\/([^/]+)\/(.+)/.exec(entry.module)
    if (inside !== null) return !exportsOf(inside[1] as string).includes(`./${inside[2]}`)
    if (!entry.module.startsWith('.')) return false
    const target = resolve(ROOT, dirname(entry.file), entry.module)
    return !target.startsWith(join(PACKAGES, entry.package, 'src') + sep)
  })
  assert.deepEqual(
    wrong.map((entry) => `${entry.file} imports ${entry.module}`),
    [],
  )
})

test('only protocol, verify, zkml and the enclave call a cryptographic primitive', () => {
  const wrong = imports
    .filter((entry) => !CRYPTO_PACKAGES.has(entry.package))
    .filter((entry) => !CRYPTO_ROOMS.some((room) => entry.file.startsWith(room)))
    .flatMap((entry) => {
      const name = isCrypto(entry)
      return name === undefined ? [] : [`${entry.file} takes ${name} from ${entry.module}`]
    })
  for (const name of packages.filter((name) => !CRYPTO_PACKAGES.has(name))) {
    for (const path of sourceFiles(join(PACKAGES, name, 'src'))) {
      const file = relative(ROOT, path).split(sep).join('/')
      if (CRYPTO_ROOMS.some((room) => file.startsWith(room))) continue
      if (/\bcrypto\.subtle\b/.test(readFileSync(path, 'utf8'))) wrong.push(`${file} uses crypto.subtle`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('every import of a package is among its declared dependencies', () => {
  const wrong = imports.flatMap((entry) => {
    const name = /^(@[^/]+\/[^/]+|[^./@][^/]*)/.exec(entry.module)?.[1]
    if (name === undefined || name.startsWith('node:') || entry.module.startsWith('node:')) return []
    const manifest = JSON.parse(readFileSync(join(PACKAGES, entry.package, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>
      devDependencies?: Record<string, string>
      peerDependencies?: Record<string, string>
      // The package's own `#names`, which say which file serves which runtime.
      imports?: Record<string, unknown>
    }
    const { dependencies, devDependencies, peerDependencies, imports: own } = manifest
    const declared = { ...dependencies, ...devDependencies, ...peerDependencies, ...own }
    return name in declared ? [] : [`${entry.file} imports ${name}, which ${entry.package} does not declare`]
  })
  assert.deepEqual(wrong, [])
})
