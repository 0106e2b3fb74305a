/**
 * Packs the SDK for projects outside this repository: JavaScript for Node 20 and its types, with our other packages, which
 * no registry has, built in, and other people's as dependencies of the very versions that are tested here.
 *   npm run pack:sdk        # dist/assay-sdk-<version>.tgz
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '../../..')
const SDK = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

type Versions = Record<string, string>
type Manifest = {
  name: string
  version: string
  description?: string
  license: string
  engines?: Record<string, string>
  exports: Record<string, string>
  dependencies?: Versions
  peerDependencies?: Versions
  peerDependenciesMeta?: Record<string, { optional: boolean }>
}
type Workspace = { folder: string; manifest: Manifest }
/** What a file imports from other people's packages. */
type Imported = { static: Set<string>; dynamic: Set<string> }

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
const isOurs = (name: string) => name.startsWith('@assay/')
/** `@scope/name/path` and `name/path` without their path. */
const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** The SDK and all packages of ours below it. */
function workspacesBelow(folder: string, found = new Map<string, Workspace>()): Map<string, Workspace> {
  const manifest = manifestOf(folder)
  if (found.has(manifest.name)) return found
  found.set(manifest.name, { folder, manifest })
  for (const name of Object.keys(manifest.dependencies ?? {}).filter(isOurs)) {
    const place = name.replace('@assay/', '')
    workspacesBelow(join(ROOT, place === 'contracts' ? place : `packages/${place}`), found)
  }
  return found
}

/** Versions of other people's packages, as our packages name them. */
function versionsIn(workspaces: Map<string, Workspace>): Map<string, string> {
  const versions = new Map<string, string>()
  for (const { manifest } of workspaces.values()) {
    for (const [name, version] of Object.entries({
      ...manifest.dependencies,
      ...manifest.peerDependencies,
    })) {
      if (isOurs(name)) continue
      const other = versions.get(name) ?? version
      if (other !== version) throw new Error(`${name} is wanted in two versions: ${other} and ${version}`)
      versions.set(name, version)
    }
  }
  return versions
}

/** `./proxy` → `proxy`, `.` → `index`: what the entry is called in the package. */
const entryName = (subpath: string) => (subpath === '.' ? 'index' : subpath.slice(2))

/** One module per entry and one for what they share, which holds the classes of the errors once. */
async function bundleInto(
  outdir: string,
  exported: Record<string, string>,
  external: string[],
): Promise<Imported> {
  const { metafile, outputFiles, warnings } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(
      Object.entries(exported).map(([subpath, source]) => [entryName(subpath), join(SDK, source)]),
    ),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external,
    metafile: true,
    write: false,
    logLevel: 'warning',
  })
  if (warnings.length > 0) throw new Error('esbuild warned; see above')
  const foreign = Object.keys(metafile.inputs).filter((file) => file.includes('node_modules'))
  if (foreign.length > 0) throw new Error(`not a dependency of its package: ${foreign.join(', ')}`)
  for (const { path, text, contents } of outputFiles) {
    // What a source reads from a file beside it would not be there.
    if (text.includes('import.meta')) throw new Error(`${path} looks for a file beside its source`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, contents)
  }
  const imported: Imported = { static: new Set(), dynamic: new Set() }
  for (const { path, kind, external } of Object.values(metafile.outputs).flatMap(({ imports }) => imports)) {
    if (external !== true || path.startsWith('node:')) continue
    imported[kind === 'dynamic-import' ? 'dynamic' : 'static'].add(packageOf(path))
  }
  return imported
}

/** Declarations of everything that the entries reach, each in the place that `placeOf` gives it. */
async function declareInto(
  outdir: string,
  exported: Record<string, string>,
  workspaces: Map<string, Workspace>,
): Promise<Set<string>> {
  // Taken for packages they would be left out of the emit; as sources they are declared like our own files.
  const paths = Object.fromEntries(
    [...workspaces.values()].flatMap(({ folder, manifest }) =>
      Object.entries(manifest.exports).map(([subpath, source]) => [
        manifest.name + subpath.slice(1),
        [join(folder, source)],
      ]),
    ),
  )
  const emitted = mkdtempSync(join(tmpdir(), 'assay-types-'))
  try {
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        noEmitOnError: true,
        // What Node 20 has of the language's library; an Object.groupBy would fail there, and does here.
        lib: ['es2023', 'es2024.string'],
        rootDir: ROOT,
        outDir: emitted,
        typeRoots: [join(ROOT, 'node_modules/@types')],
        paths,
      },
      files: Object.values(exported).map((source) => join(SDK, source)),
      // Declarations of packages that carry none.
      include: [...workspaces.values()].map(({ folder }) => join(folder, 'src/**/*.d.ts')),
    }
    const file = join(emitted, 'tsconfig.json')
    writeFileSync(file, JSON.stringify(config))
    await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', file]).catch(({ stdout }: { stdout: string }) => {
      throw new Error(`the types of the SDK do not compile:\n${stdout}`)
    })
    return copyReached({ emitted, outdir, paths, entries: config.files })
  } finally {
    rmSync(emitted, { recursive: true, force: true })
  }
}

/** `packages/protocol/src/receipt.ts` → `protocol/receipt`: where a source's declarations stand in the package. */
const placeOf = (source: string) =>
  relative(ROOT, source)
    .replace(/^packages\/([^/]+)\/src\//, '$1/')
    .replace(/\.ts$/, '')

/** Copies declarations from the entries on, with imports that lead to their places. Gives the packages they name. */
function copyReached(parameters: {
  emitted: string
  outdir: string
  paths: Record<string, string[]>
  entries: readonly string[]
}): Set<string> {
  const { emitted, outdir, paths, entries } = parameters
  const reached = new Set(entries)
  const packages = new Set<string>()
  // A set hands out what is added while it is walked.
  for (const source of reached) {
    const target = (specifier: string): string | undefined => {
      if (specifier.startsWith('.')) return join(dirname(source), specifier)
      if (isOurs(specifier)) return paths[specifier]?.[0]
      return undefined
    }
    const led = (statement: string, head: string, specifier: string): string => {
      const next = target(specifier)
      if (next === undefined) {
        if (specifier.startsWith('#')) throw new Error(`${source} gives away the type of ${specifier}`)
        packages.add(specifier.startsWith('node:') ? '@types/node' : packageOf(specifier))
        return statement
      }
      reached.add(next)
      const path = relative(dirname(placeOf(source)), placeOf(next))
      return `${head}'${path.startsWith('.') ? path : `./${path}`}.js'`
    }
    const text = readFileSync(join(emitted, relative(ROOT, source).replace(/\.ts$/, '.d.ts')), 'utf8')
    const lines = text.split('\n').map((line) =>
      // An example in a comment imports too.
      /^\s*(\*|\/\*|\/\/)/.test(line)
        ? line
        : line.replace(/(\bfrom |\bimport\(|^import )['"]([^'"]+)['"]/g, led),
    )
    const file = join(outdir, `${placeOf(source)}.d.ts`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, lines.join('\n'))
  }
  return packages
}

/** Packs into a folder; gives the path of the tarball. */
export async function packSdk(destination: string): Promise<string> {
  const workspaces = workspacesBelow(SDK)
  const versions = versionsIn(workspaces)
  const { name, version, description, license, engines, ...manifest } = manifestOf(SDK)
  const exported = manifest.exports
  const stage = mkdtempSync(join(tmpdir(), 'assay-pack-'))
  try {
    const imported = await bundleInto(join(stage, 'dist'), exported, [...versions.keys()])
    const typed = await declareInto(join(stage, 'types'), exported, workspaces)
    const peers = manifest.peerDependencies ?? {}
    const needed = [...new Set([...imported.static, ...typed])].filter((each) => !(each in peers)).sort()
    // What is only asked for at run time is done without where it is missing.
    const optional = [...imported.dynamic].filter((each) => !needed.includes(each)).sort()
    const versionOf = (dependency: string): [string, string] => {
      const known = versions.get(dependency)
      if (known === undefined) throw new Error(`no package of ours names a version of ${dependency}`)
      return [dependency, known]
    }
    const packed = {
      ...{ name, version, description, license, engines },
      type: 'module',
      sideEffects: false,
      exports: Object.fromEntries(
        Object.entries(exported).map(([subpath, source]) => [
          subpath,
          {
            types: `./types/${placeOf(join(SDK, source))}.d.ts`,
            default: `./dist/${entryName(subpath)}.js`,
          },
        ]),
      ),
      dependencies: Object.fromEntries(needed.map(versionOf)),
      peerDependencies: { ...peers, ...Object.fromEntries(optional.map(versionOf)) },
      peerDependenciesMeta: {
        ...manifest.peerDependenciesMeta,
        ...Object.fromEntries(optional.map((dependency) => [dependency, { optional: true }])),
      },
    }
    writeFileSync(join(stage, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`)
    cpSync(join(ROOT, 'LICENSE'), join(stage, 'LICENSE'))
    cpSync(join(SDK, 'README.md'), join(stage, 'README.md'))
    mkdirSync(destination, { recursive: true })
    const to = ['--pack-destination', resolve(destination), '--json', '--ignore-scripts']
    const { stdout } = await run('npm', ['pack', ...to], { cwd: stage })
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
    return join(resolve(destination), filename)
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await packSdk(join(ROOT, 'dist')))
