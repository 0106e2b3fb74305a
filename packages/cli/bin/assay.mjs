#!/usr/bin/env node
// `npx assay` runs on whatever Node the machine has; the sources need Node 24 (type stripping), which is installed
// beside them. So this file is plain JavaScript and hands over.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const main = path.join(root, 'packages', 'cli', 'src', 'main.ts')

if (Number(process.versions.node.split('.')[0]) >= 23) {
  await import(main)
} else {
  const node = path.join(root, 'node_modules', '.bin', 'node')
  if (!existsSync(node)) {
    process.stderr.write('assay: nothing is installed yet.\nNext: npm start\n')
    process.exit(1)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal's ^C reaches the child by itself; what others send to this process is passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.on('SIGINT', () => undefined)
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143)
  })
}
