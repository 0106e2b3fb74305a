import {
  bondDevelopmentOperator,
  bootstrapDevnet,
  DEVELOPMENT_ROLES,
  type DeployOptions,
  type Devnet,
  deploy,
  developmentAccount,
} from '@assay/chain'
import { HARDWARE_NITRO_SIM, type Network } from '@assay/protocol'
import { CliError, EXIT } from '../cliError.ts'
import type { Home } from '../home.ts'
import type { Ports } from './ports.ts'
import { deployProfile, type ProfilePlan, prepareKeys } from './profile.ts'
import { loopback, serverPlans, simulatedRootFolder } from './servers.ts'

export type DeployContractsOptions = {
  home: Home
  ports: Ports
  chain: Devnet
  profile?: ProfilePlan | undefined
  detail: (text: string) => void
}

/** Time-outs of a new network, where they are not those of development. @throws CliError */
function termsFrom({ ASSAY_TERMS: name }: NodeJS.ProcessEnv): DeployOptions['terms'] {
  if (name === undefined || name === '') return undefined
  if (name === 'rehearsal' || name === 'unhurried') return name
  throw new CliError(`There are no terms ${JSON.stringify(name)}.`, {
    code: 'usage',
    exitCode: EXIT.usage,
    next: 'ASSAY_TERMS is rehearsal, unhurried, or not set.',
  })
}

/**
 * Contracts, approved simulated enclave, bonds, stakes and the demo payer's money: what is missing of it. Returns the
 * network without its models.
 */
export async function deployContracts(
  options: DeployContractsOptions,
): Promise<{ network: Network; fresh: boolean }> {
  const { home, ports, chain, detail, profile } = options
  const { simulatedRoot, SIMULATED_ENGINE_CLASSES, SIMULATED_MEASUREMENT } = await import('@assay/node')
  const keys = profile === undefined ? undefined : await prepareKeys(home, chain)
  const deployer = keys?.deployer ?? developmentAccount(DEVELOPMENT_ROLES.deployer)
  const demo = keys?.payer ?? developmentAccount(DEVELOPMENT_ROLES.demo)
  const root = await simulatedRoot(simulatedRootFolder(home))
  const at = { chainId: chain.chainId, rpcUrl: chain.url }
  const approvals = [
    {
      hardwareType: HARDWARE_NITRO_SIM,
      rootHash: root.rootHash,
      measurement: SIMULATED_MEASUREMENT,
      engineClasses: SIMULATED_ENGINE_CLASSES,
    },
  ]
  const { contracts, deploymentId, fresh } = await deploy({
    ...at,
    deployerKey: deployer.privateKey,
    treasury: developmentAccount(DEVELOPMENT_ROLES.treasury).address,
    approvals,
    journalFile: home.data('deployment.json'),
    devnet: chain,
    terms: termsFrom(process.env),
    // This chain is on 127.0.0.1 and worthless whatever its id; its keys are the public ones on purpose.
    insecureDevelopment: true,
    onProgress: detail,
  })
  const servers = serverPlans(ports).map((plan) => ({
    ...plan,
    operator: developmentAccount(plan.account).address,
    url: loopback(plan.port),
  }))
  const of = (role: string) =>
    servers.filter((server) => server.package === role).map(({ operator, url }) => ({ operator, url }))
  const [nodes, validators] = [of('node'), of('validator')]
  await bootstrapDevnet({
    ...at,
    contracts,
    nodeUrl: loopback(ports.node),
    gatewayUrl: loopback(ports.gateway),
    validatorUrls: validators.map(({ url }) => url),
    approvals,
    demoKey: demo.privateKey,
    onProgress: detail,
  })
  for (const { account: index, url } of servers.filter(({ package: role }) => role === 'node').slice(1)) {
    await bondDevelopmentOperator({ ...at, contracts }, { index, url })
  }
  const network: Network = {
    ...at,
    gatewayUrl: loopback(ports.gateway),
    deploymentId,
    contracts,
    gateway: developmentAccount(DEVELOPMENT_ROLES.gateway).address,
    nodes,
    validators,
    accounts: { demo },
    models: [],
    ...(profile === undefined || keys === undefined
      ? {}
      : { profile: await deployProfile({ home, chain, contracts, keys, tlsPort: profile.tlsPort }) }),
  }
  return { network, fresh }
}
