// Installs what proofs are measured beside, in folders of their own: `npm run bench:peers` (400 MB). What cannot be had is
// skipped by the measurement, by name.
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const folder = import.meta.dirname
const root = path.resolve(folder, '../..')
const run = (command, args, cwd) =>
  spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2], timeout: 600_000 }).status === 0

run(process.execPath, ['scripts/pythonEnvironment.mjs', 'bench/peers'], root)
const npm = [
  'install',
  '--no-audit',
  '--no-fund',
  '--no-package-lock',
  '--ignore-scripts',
  '--loglevel=error',
]
if (!run('npm', npm, path.join(folder, 'noir')))
  console.error('UltraHonk could not be installed; it will be skipped')
