import { spawn } from 'node:child_process'
import { mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { loadNetwork } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { CliError, EXIT } from '../cliError.ts'
import { type Home, makeHome, REPOSITORY } from '../home.ts'
import type { Output } from '../output.ts'
import { isHealthy } from './health.ts'
import { lockHolder, mustNotRun } from './lock.ts'
import { tailOf } from './logFile.ts'
import { NODES_SETTING, PORT_SETTINGS, type PortName, type Ports } from './ports.ts'
import type { ProfilePlan } from './profile.ts'
import { createProgress } from './progress.ts'
import { loopback } from './servers.ts'

/** The first run may have to download the model. */
const READY_MILLISECONDS = 15 * 60_000

/** Runs `up` in the background and returns when its network is ready. @throws CliError with its last words */
export async function detach(
  home: Home,
  ports: Ports,
  { chainId, profile }: { chainId: number; profile: ProfilePlan | undefined },
  output: Output,
): Promise<Network> {
  makeHome(home)
  // The log that is begun anew below is the running network's.
  mustNotRun(home.lockFile)
  mkdirSync(home.logs, { recursive: true })
  const logFile = path.join(home.logs, 'up.log')
  const log = openSync(logFile, 'w', 0o600)
  const args = Object.entries(PORT_SETTINGS).flatMap(([name, { option }]) => [
    option,
    String(ports[name as PortName]),
  ])
  args.push(NODES_SETTING.option, String(ports.nodes))
  args.push('--chain-id', String(chainId))
  if (profile !== undefined) args.push('--profile', profile.name, '--tls-port', String(profile.tlsPort))
  const main = path.join(REPOSITORY, 'packages', 'cli', 'src', 'main.ts')
  const child = spawn(process.execPath, [main, 'up', ...args], {
    cwd: process.cwd(),
    stdio: ['ignore', log, log],
    detached: true,
  })
  let ended = false
  child.on('exit', () => {
    ended = true
  })
  child.unref()
  await createProgress(output).step('up', async (detail) => {
    const deadline = Date.now() + READY_MILLISECONDS
    for (;;) {
      detail((tailOf(logFile, 1)[0] ?? '').trim())
      if (ended || Date.now() > deadline) {
        throw new CliError(`The network did not start. It said last:\n  ${tailOf(logFile, 8).join('\n  ')}`, {
          exitCode: EXIT.failed,
          code: 'did_not_start',
          facts: { log: logFile },
          next: 'assay doctor',
        })
      }
      // Health alone could be that of another home's gateway on the same port.
      const ours = lockHolder(home.lockFile)?.pid === child.pid
      if (ours && (await isHealthy(loopback(ports.gateway)))) return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })
  return loadNetwork(home.networkFile)
}
