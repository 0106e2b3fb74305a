import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  type Sender,
  startDeployedDevnet,
} from '@assay/chain'
import { inferenceEscrowAbi, modelRegistryAbi, type Network, tag } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'

/** A fresh chain with all contracts, bonded node, staked validators, a published model and the gateway's till. */
export type LocalNetwork = {
  network: Network
  client: PublicClient
  /** Folder that goes away with the network. */
  folder: string
  modelId: Hex
  till: Address
  gateway: Sender
  validators: { sender: Sender; privateKey: Hex }[]
  payerKey: Hex
  close(): Promise<void>
}

/** Base units per call, per input unit, per output unit. */
export const LOCAL_PRICE = { perCall: 10n ** 12n, inputPrice: 10n ** 9n, outputPrice: 10n ** 10n }
const URL_UNUSED = 'http://127.0.0.1:9'

/** @param nodeUrl where the network file says that the inference node listens. */
export async function startLocalNetwork(nodeUrl = URL_UNUSED): Promise<LocalNetwork> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-bench-'))
  // Also where the measurement fails or is interrupted.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  // What would hold every answer of the chain up again and again is no part of what is measured.
  const { devnet, network, client } = await startDeployedDevnet(folder, { nodeUrl, durable: false })
  const { contracts } = network
  const account = (index: number) => developmentAccount(index)
  const senderOf = (index: number) => createSender({ network, privateKey: account(index).privateKey })
  const modelId = tag('bench model')
  const { perCall, inputPrice, outputPrice } = LOCAL_PRICE
  await senderOf(DEVELOPMENT_ROLES.publisher).send({
    address: contracts.ModelRegistry,
    abi: modelRegistryAbi,
    functionName: 'publish',
    args: [modelId, 'https://example.org/model.json', tag('bench weights'), perCall, inputPrice, outputPrice],
  })
  const gateway = senderOf(DEVELOPMENT_ROLES.gateway)
  const escrow = { address: contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  await gateway.send({ ...escrow, functionName: 'openTill', args: [URL_UNUSED] })
  const till = await client.readContract({ ...escrow, functionName: 'tillOf', args: [gateway.address] })
  return {
    network: { ...network, models: [{ name: 'bench', modelId, contextLength: 256, modes: ['bonded'] }] },
    client,
    folder,
    modelId,
    till: till.toLowerCase() as Address,
    gateway,
    validators: DEVELOPMENT_ROLES.validators.map((index) => ({
      sender: senderOf(index),
      privateKey: account(index).privateKey,
    })),
    payerKey: account(DEVELOPMENT_ROLES.demo).privateKey,
    close: () => devnet.close(),
  }
}
