import path from 'node:path'
import { DEVELOPMENT_ROLES, developmentAccount } from '@assay/chain'
import { CliError, EXIT } from '../cliError.ts'
import type { Home } from '../home.ts'
import { type Child, startChild } from './child.ts'
import { recordChildren } from './childrenFile.ts'
import { circuitFiles } from './circuits.ts'
import { isHealthy } from './health.ts'
import { tailOf } from './logFile.ts'
import { nodeName, type Ports, VALIDATOR_COUNT } from './ports.ts'
import { type ProfilePlan, tlsEnvironment } from './profile.ts'
import type { Progress } from './progress.ts'
import { upstreamsFile } from './publishModels.ts'
import { modelCache } from './pullDefaultModel.ts'

export const loopback = (port: number) => `http://127.0.0.1:${port}`

/** Where the certificate lives under which the simulated enclave signs; the chain approves its hash. */
export const simulatedRootFolder = (home: Home) => home.data('simulated-root')

/** A server of the network, before it is started. */
export type ServerPlan = {
  /** Shown to the user, and with "-" for " " the name of its log and data folder. */
  name: string
  package: 'node' | 'validator' | 'gateway'
  account: number
  port: number
}

export function serverPlans(ports: Ports): ServerPlan[] {
  return [
    ...Array.from({ length: ports.nodes }, (_, at) => ({
      name: nodeName(at),
      package: 'node' as const,
      account: [DEVELOPMENT_ROLES.node, ...DEVELOPMENT_ROLES.moreNodes][at] as number,
      port: ports.node + at,
    })),
    ...Array.from({ length: VALIDATOR_COUNT }, (_, at) => ({
      name: `validator ${at + 1}`,
      package: 'validator' as const,
      account: DEVELOPMENT_ROLES.validators[at] as number,
      port: ports.validator + at,
    })),
    { name: 'gateway', package: 'gateway', account: DEVELOPMENT_ROLES.gateway, port: ports.gateway },
  ]
}

export type Servers = {
  /** Resolves when every server is healthy. @throws Error with the log of one that keeps dying. */
  ready(signal: AbortSignal): Promise<void>
  /** Stops them, the gateway first, so that no answer is started that cannot be finished. */
  stop(): Promise<void>
}

const POLL_MILLISECONDS = 100
/** Deaths during the start after which it is not going to work. */
const MAX_START_CRASHES = 4
const READY_MILLISECONDS = 180_000

/** Starts every server as a process of its own, with its own key, port, data folder and log. */
export function startServers(
  home: Home,
  ports: Ports,
  progress: Progress,
  {
    profile,
    providerKeys,
  }: { profile: ProfilePlan | undefined; providerKeys: Readonly<Record<string, string>> },
): Servers {
  const children: { plan: ServerPlan; child: Child }[] = []
  const upstreams = upstreamsFile()
  let announced = false
  const record = () =>
    recordChildren(
      home.childrenFile,
      children.flatMap(({ child }) => child.identity() ?? []),
    )
  for (const plan of serverPlans(ports)) {
    const slug = plan.name.replace(' ', '-')
    const child = startChild({
      name: plan.name,
      package: plan.package,
      logFile: path.join(home.logs, `${slug}.log`),
      environment: {
        ASSAY_NETWORK: home.networkFile,
        ASSAY_KEY: developmentAccount(plan.account).privateKey,
        ASSAY_DATA: home.data(slug),
        ASSAY_PORT: String(plan.port),
        ASSAY_MODEL_CACHE: modelCache(home),
        ASSAY_SIMULATED_ROOT: simulatedRootFolder(home),
        ASSAY_CIRCUITS: circuitFiles(home).join(path.delimiter),
        ...(profile !== undefined && plan.package === 'gateway' ? tlsEnvironment(home, profile) : {}),
        ...(upstreams === undefined ? {} : { ASSAY_UPSTREAMS: upstreams }),
        ...(plan.package === 'node' ? providerKeys : {}),
      },
      onCrash(reason, retryMilliseconds) {
        if (announced) {
          const again = `starting again in ${retryMilliseconds / 1000} s`
          progress.note(
            `${plan.name} ended (${reason}), ${again}; log: ${path.join(home.logs, `${slug}.log`)}`,
          )
        }
      },
      onChange: () => record(),
    })
    children.push({ plan, child })
    record()
  }

  return {
    async ready(signal) {
      await progress.step(
        'servers',
        (detail) => waitUntilReady(children, detail, signal),
        () =>
          `${ports.nodes === 1 ? 'node' : `${ports.nodes} nodes`}, ${VALIDATOR_COUNT} validators, gateway`,
      )
      announced = true
    },
    async stop() {
      announced = false
      for (const { child } of [...children].reverse()) await child.stop()
      recordChildren(home.childrenFile, [])
    },
  }
}

async function waitUntilReady(
  children: readonly { plan: ServerPlan; child: Child }[],
  detail: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + READY_MILLISECONDS
  let waiting = [...children]
  while (waiting.length > 0) {
    signal.throwIfAborted()
    detail(`waiting for: ${waiting.map(({ plan }) => plan.name).join(', ')}`)
    const healthy = await Promise.all(waiting.map(({ plan }) => isHealthy(loopback(plan.port))))
    waiting = waiting.filter((_, at) => healthy[at] !== true)
    const dying = waiting.find(({ child }) => child.crashes() >= MAX_START_CRASHES)
    if (dying !== undefined) throw serverFailed(dying.child, 'keeps ending')
    const slow = waiting[0]
    if (slow !== undefined && Date.now() > deadline) throw serverFailed(slow.child, 'did not become ready')
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
  }
}

function serverFailed(child: Child, what: string): CliError {
  return new CliError(
    `The ${child.name} ${what}. It said last:\n  ${tailOf(child.logFile, 8).join('\n  ')}`,
    {
      exitCode: EXIT.failed,
      code: 'server_failed',
      facts: { log: child.logFile },
      next: 'assay doctor',
    },
  )
}
