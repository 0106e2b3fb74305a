import {
  createSender,
  DEVELOPMENT_ROLES,
  type Devnet,
  developmentAccount,
  startDeployedDevnet,
} from '@assay/chain'
import { deploymentOf, modelRegistryAbi, type Network, teeRegistryAbi } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import { attestBatch } from '../../../test/attestBatch.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { BODY, createPayer, headOf, MODEL } from './fixtures.ts'
import { STUB_KEY, type StubNode, startStubNode, stubPossession } from './stubNode.ts'

export const account = (role: 'deployer' | 'gateway' | 'node' | 'publisher' | 'treasury' | 'demo') =>
  developmentAccount(DEVELOPMENT_ROLES[role])

export type RealChain = {
  directory: string
  devnet: Devnet
  network: Network
  client: PublicClient
  node: StubNode
  /** Tells the node which gateway it works for. */
  join(gateway: { till: Address; committer: Address }): void
  /** Three validators that find the batch valid. */
  attest(batchId: Hex): Promise<void>
  /** Buys one answer of a gateway. @returns its request id */
  buy(gatewayUrl: string, scheme?: 'exact' | 'upto', body?: string): Promise<Hex>
  close(): Promise<void>
}

export async function startRealChain(): Promise<RealChain> {
  const directory = temporaryFolder('gateway')
  const { devnet, network: deployed, client } = await startDeployedDevnet(directory, { terms: 'unhurried' })
  const node = await startStubNode()
  // Its key is a bonded one.
  node.offer = { modes: ['bonded'] }
  node.world.operator = account('node').address.toLowerCase() as Address
  const nodes = [{ operator: account('node').address, url: node.url }]
  const network: Network = { ...deployed, nodes, models: [MODEL] }
  await createSender({ network, privateKey: account('publisher').privateKey }).send({
    address: network.contracts.ModelRegistry,
    abi: modelRegistryAbi,
    functionName: 'publish',
    args: [MODEL.modelId, 'model.json', `0x${'c4'.repeat(32)}`, 3n, 2n, 5n],
  })
  const deployment = deploymentOf(network)
  const operator = createSender({ network, privateKey: account('node').privateKey })
  await operator.send({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'registerBondedKey',
    args: [STUB_KEY, await stubPossession(operator.address, deployment)],
  })
  return {
    directory,
    devnet,
    network,
    client,
    node,
    join({ till, committer }) {
      const operator = account('node').address.toLowerCase() as Address
      node.world = { contracts: network.contracts, deployment, till, committer, model: MODEL, operator }
    },
    attest: (batchId) => attestBatch(network, batchId),
    async buy(gatewayUrl, scheme = 'exact', body = BODY) {
      const payer = createPayer(scheme, account('demo').privateKey, network.contracts.OPG)
      const url = `${gatewayUrl}/v1/chat/completions`
      const unpaid = await fetch(url, { method: 'POST', body, headers: headOf(url) })
      if (unpaid.status !== 402) throw new Error(`expected a 402: ${await unpaid.text()}`)
      await unpaid.arrayBuffer()
      const paid = await fetch(url, {
        method: 'POST',
        body,
        headers: { ...headOf(url), ...(await payer.sign(unpaid)) },
      })
      if (paid.status !== 200) throw new Error(`expected a 200: ${await paid.text()}`)
      await paid.arrayBuffer()
      return paid.headers.get('x-assay-request-id') as Hex
    },
    // After the gateway, whose last reads want a chain.
    async close() {
      await node.close()
      await devnet.close()
    },
  }
}
