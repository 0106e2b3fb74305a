// Brings a bare clone to a state in which `npm start` and `npm test` run: dependencies installed, contracts compiled.
// It runs before anything is installed, on the oldest Node we support: Node built-ins only, plain JavaScript.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const modules = path.join(root, 'node_modules')
const lockfile = path.join(root, 'package-lock.json')
const installStamp = path.join(modules, '.assay-setup')
const contractStamp = path.join(modules, '.assay-contracts')
const kernelStamp = path.join(modules, '.assay-kernels')
const localNode = path.join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')

/** What npm would say about money, other people's packages and its own plans is no news to somebody who starts this. */
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error']

const say = (line) => process.stderr.write(`assay setup: ${line}\n`)
const readOr = (file, fallback) => (existsSync(file) ? readFileSync(file, 'utf8') : fallback)

function sha256Of(files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(path.relative(root, file)).update('\0').update(readFileSync(file))
  return hash.digest('hex')
}

/** Runs a command with its output shown; where there is no terminal to draw on, says every 15 s that it still runs. */
function run(command, args, what) {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const seconds = () => Math.round((Date.now() - started) / 1000)
    say(`${what} …`)
    const env = {
      ...process.env,
      // node-llama-cpp would fetch and build a native binary; the prebuilt one is a dependency of its own.
      NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true',
    }
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    })
    const heartbeat = setInterval(() => say(`${what} … ${seconds()} s`), 15_000)
    child.on('error', (cause) => {
      clearInterval(heartbeat)
      reject(new Error(`${what} could not start: ${cause.message}`))
    })
    child.on('exit', (code, signal) => {
      clearInterval(heartbeat)
      if (code === 0) {
        say(`${what}: done in ${seconds()} s`)
        resolve()
      } else reject(new Error(`${what} failed (${signal ?? `exit ${code}`}); its output is above`))
    })
  })
}

/** A tree that npm finished after the lockfile last changed is complete, whoever installed it. */
function treeIsCurrent(lockHash) {
  if (!existsSync(localNode)) return false
  if (readOr(installStamp, '') === lockHash) return true
  const hidden = path.join(modules, '.package-lock.json')
  return existsSync(hidden) && statSync(hidden).mtimeMs >= statSync(lockfile).mtimeMs
}

/** npm's own script: npm names it when it runs us, and otherwise it lies beside the command. */
function npmScript() {
  const named = process.env.npm_execpath
  if (named?.endsWith('.js')) return named
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const command = path.join(folder, 'npm')
    if (existsSync(command) && realpathSync(command).endsWith('.js')) return realpathSync(command)
  }
  throw new Error('npm was not found; run this through npm: npm start')
}

/**
 * The Node that npm is to run under. npm silently leaves out optional native packages that want a newer Node than the
 * one it runs on, so on an older host the pinned Node is fetched first, on its own.
 */
async function installerNode() {
  const pinned = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).devDependencies.node
  if (Number(process.versions.node.split('.')[0]) >= Number(pinned.split('.')[0])) return process.execPath
  const folder = path.join(root, '.assay', 'toolchain')
  const binary = path.join(folder, 'node_modules', 'node', 'bin', 'node')
  if (readOr(path.join(folder, 'version'), '') !== pinned || !existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(folder, 'package.json'), '{"private":true,"allowScripts":{"node":true}}')
    const args = [npmScript(), 'install', `node@${pinned}`, ...QUIET, '--prefix', folder]
    await run(process.execPath, args, `fetching Node ${pinned}`)
    writeFileSync(path.join(folder, 'version'), pinned)
  }
  return binary
}

async function install() {
  const lockHash = sha256Of([lockfile])
  if (!treeIsCurrent(lockHash)) {
    const what = 'installing dependencies (first time: 1 to 3 minutes)'
    await run(await installerNode(), [npmScript(), 'ci', ...QUIET], what)
    if (!existsSync(localNode)) throw new Error('npm finished, but node_modules/.bin/node is missing')
  }
  if (readOr(installStamp, '') !== lockHash) writeFileSync(installStamp, lockHash)
}

function filesUnder(folder, pattern) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(folder, entry.name)
      if (entry.isDirectory()) return filesUnder(file, pattern)
      return pattern.test(entry.name) ? [file] : []
    })
    .sort()
}

async function compileContracts() {
  const script = path.join(root, 'contracts', 'scripts', 'compile.ts')
  if (!existsSync(script)) return
  const scripts = filesUnder(path.dirname(script), /\.ts$/)
  const sources = [...filesUnder(path.join(root, 'contracts', 'src'), /\.sol$/), ...scripts, lockfile]
  const wanted = sha256Of(sources)
  const artifacts = filesUnder(path.join(root, 'contracts', 'artifacts'), /\.json$/)
  if (artifacts.length > 0 && readOr(contractStamp, '') === wanted) return
  await run(localNode, [script], 'compiling contracts')
  writeFileSync(contractStamp, wanted)
}

async function compileKernels() {
  const script = path.join(root, 'packages', 'zkml', 'scripts', 'buildKernels.mjs')
  const output = path.join(root, 'packages', 'zkml', 'kernels', 'build', 'kernels.wasm')
  const sources = [...filesUnder(path.join(root, 'packages', 'zkml', 'kernels'), /\.ts$/), script, lockfile]
  const wanted = sha256Of(sources)
  if (existsSync(output) && readOr(kernelStamp, '') === wanted) return
  await run(localNode, [script], 'compiling the proving kernels')
  writeFileSync(kernelStamp, wanted)
}

try {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) throw new Error(`Node ${process.versions.node} is too old; install Node 20 or newer`)
  await install()
  await compileContracts()
  await compileKernels()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  say('next: check the network connection and free disk space (2 GB), then run the same command again')
  process.exit(1)
}
