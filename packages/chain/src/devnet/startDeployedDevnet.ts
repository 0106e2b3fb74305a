import { join } from 'node:path'
import type { Network } from '@assay/protocol'
import type { PublicClient } from 'viem'
import { bootstrapDevnet } from '../deploy/bootstrapDevnet.ts'
import { type DeployOptions, deploy } from '../deploy/deploy.ts'
import { DEVELOPMENT_ROLES, developmentAccount } from '../developmentAccounts.ts'
import { publicClientOf } from '../publicClient.ts'
import { type Devnet, type DevnetOptions, startDevnet } from './startDevnet.ts'

/** Nothing listens there: the place of a server that nobody asks. */
const NOWHERE = 'http://127.0.0.1:9'

export type DeployedDevnetOptions = Pick<DevnetOptions, 'durable'> &
  Pick<DeployOptions, 'approvals' | 'governance' | 'terms'> & {
    /** What the chain is told of where the node, and the validators with it, will listen. */
    nodeUrl?: string | undefined
    gatewayUrl?: string | undefined
  }

export type DeployedDevnet = { devnet: Devnet; network: Network; client: PublicClient }

/**
 * A chain of its own, on a free port, with every contract deployed and the development accounts ready to act: what tests
 * and measurements stand on. Everything is kept in `folder`; no model is published.
 * @throws AssayError as `deploy` does; nothing keeps running then
 */
export async function startDeployedDevnet(
  folder: string,
  options: DeployedDevnetOptions = {},
): Promise<DeployedDevnet> {
  const { durable, approvals, governance, terms } = options
  const { nodeUrl = NOWHERE, gatewayUrl = NOWHERE } = options
  const account = (role: 'deployer' | 'treasury' | 'gateway' | 'node' | 'demo') =>
    developmentAccount(DEVELOPMENT_ROLES[role])
  const devnet = await startDevnet({ dir: join(folder, 'chain'), port: 0, durable })
  try {
    const { fresh: _, ...deployed } = await deploy({
      rpcUrl: devnet.url,
      chainId: devnet.chainId,
      devnet,
      approvals,
      governance,
      terms,
      deployerKey: account('deployer').privateKey,
      treasury: account('treasury').address,
      journalFile: join(folder, 'deployment.json'),
    })
    await bootstrapDevnet({ ...deployed, nodeUrl, gatewayUrl, validatorUrls: [] })
    const network: Network = {
      ...deployed,
      gatewayUrl,
      gateway: account('gateway').address,
      nodes: [{ operator: account('node').address, url: nodeUrl }],
      validators: DEVELOPMENT_ROLES.validators.map((index) => ({
        operator: developmentAccount(index).address,
        url: nodeUrl,
      })),
      accounts: { demo: account('demo') },
      models: [],
    }
    return { devnet, network, client: publicClientOf(network) }
  } catch (error) {
    await devnet.close()
    throw error
  }
}
