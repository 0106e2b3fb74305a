import { saveNetwork } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { type Home, makeHome } from '../home.ts'
import { reapChildren } from './childrenFile.ts'
import { circuitFiles, prepareCircuits } from './circuits.ts'
import { deployContracts } from './deployContracts.ts'
import { acquireLock } from './lock.ts'
import { mustBeFree, type Ports } from './ports.ts'
import type { ProfilePlan } from './profile.ts'
import type { Progress } from './progress.ts'
import { publishModels, takeProviderKeys } from './publishModels.ts'
import { pullDefaultModel } from './pullDefaultModel.ts'
import { loopback, startServers } from './servers.ts'
import { startChain } from './startChain.ts'

export type StartNetworkOptions = {
  home: Home
  ports: Ports
  chainId: number
  profile?: ProfilePlan | undefined
  progress: Progress
  /** Stops the start between two steps. */
  signal: AbortSignal
}

export type RunningNetwork = { network: Network; stop(): Promise<void> }

/**
 * Brings the whole network up, in the order in which the parts need each other, and continues where an earlier run
 * ended. Whatever was started is stopped again if a later step fails or the signal is aborted.
 */
export async function startNetwork(options: StartNetworkOptions): Promise<RunningNetwork> {
  const { home, ports, progress, signal, profile } = options
  makeHome(home)
  const closers: (() => Promise<void> | void)[] = []
  const stop = async () => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close()
  }
  try {
    const lock = acquireLock(home.lockFile)
    closers.push(() => lock.release())
    const left = await reapChildren(home.childrenFile)
    if (left > 0) progress.note(`ended ${left} processes that an earlier run left behind`)
    await mustBeFree(ports)
    // Before any process is started, which would inherit them.
    const providerKeys = await takeProviderKeys()
    signal.throwIfAborted()

    const chain = await progress.step(
      'chain',
      () => startChain(home, ports.chain, options.chainId),
      () => `${loopback(ports.chain)}, chain id ${options.chainId}`,
    )
    closers.push(() => chain.close())
    signal.throwIfAborted()

    await pullDefaultModel(home, progress)
    signal.throwIfAborted()

    const deployed = await progress.step(
      'contracts',
      (detail) => deployContracts({ home, ports, chain, profile, detail }),
      ({ fresh }) => (fresh ? 'deployed' : 'found where the last run left them'),
    )
    const models = await progress.step(
      'hub',
      () => {
        prepareCircuits(home)
        return publishModels(deployed.network, circuitFiles(home))
      },
      (published) => `${published.map(({ name }) => name).join(', ')} published, each with its price`,
    )
    const network: Network = { ...deployed.network, models }
    saveNetwork(home.networkFile, network)
    signal.throwIfAborted()

    const servers = startServers(home, ports, progress, { profile, providerKeys })
    closers.push(() => servers.stop())
    await servers.ready(signal)
    // The node's new key is in the last few blocks. Were they lost to a kill, it would be registered again with a later
    // beginning, and what it has signed by then would be nobody's.
    await chain.snapshot()
    return { network, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
