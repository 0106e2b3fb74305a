import {
  createSender,
  DEVELOPMENT_ROLES,
  type Devnet,
  developmentAccount,
  publicClientOf,
  type Sender,
  startDeployedDevnet,
} from '@assay/chain'
import {
  attestationDigest,
  type Batch,
  type BatchEntry,
  buildBatch,
  type Deployment,
  deploymentOf,
  type GroupHeader,
  groupHeaders,
  modelRegistryAbi,
  type NamedAttestation,
  type PriceRow,
  settlementAbi,
  signDigest,
  VERDICT,
} from '@assay/protocol'
import { type Address, type Hex, keccak256, type PublicClient, stringToHex } from 'viem'
import type { ChainOnly } from '../faults/operators.ts'

/** A chain with the contracts on it and nobody's servers: what the attempts are made on. */
export type World = ChainOnly & {
  devnet: Devnet
  client: PublicClient
  deployment: Deployment
  modelId: Hex
  /** The model's price rows, by version. */
  prices: ReadonlyMap<bigint, PriceRow>
  close(): Promise<void>
}

/** What proofs are made of: batches, receipts wherever they were seen, and attestations, all of one party. */
export type Target = {
  name: string
  batches: Batch[]
  receipts: BatchEntry[]
  attestations: NamedAttestation[]
  challenges: Hex[]
}

const FIRST_PRICE: PriceRow = { perCall: 1000n, inputPrice: 10n, outputPrice: 20n }
const SECOND_PRICE: PriceRow = { perCall: 900n, inputPrice: 10n, outputPrice: 20n }

export async function createWorld(folder: string): Promise<World> {
  const { devnet, network, client } = await startDeployedDevnet(folder, { terms: 'unhurried' })
  try {
    return {
      ...network,
      devnet,
      client,
      deployment: deploymentOf(network),
      ...(await publishModel(network)),
      close: () => devnet.close(),
    }
  } catch (error) {
    await devnet.close()
    throw error
  }
}

/** Publishes a model and makes it cheaper, so that it has two rows that count. */
async function publishModel(chain: ChainOnly): Promise<Pick<World, 'modelId' | 'prices'>> {
  const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.publisher)
  const publisher = createSender({ network: chain, privateKey })
  const registry = { address: chain.contracts.ModelRegistry, abi: modelRegistryAbi } as const
  const modelId = keccak256(stringToHex('a model'))
  const row = ({ perCall, inputPrice, outputPrice }: PriceRow) => [perCall, inputPrice, outputPrice] as const
  const published = [modelId, 'data:,', keccak256('0x'), ...row(FIRST_PRICE)] as const
  await publisher.send({ ...registry, functionName: 'publish', args: published })
  await publisher.send({ ...registry, functionName: 'setPrice', args: [modelId, ...row(SECOND_PRICE)] })
  const version = await publicClientOf(chain).readContract({
    ...registry,
    functionName: 'currentPriceVersion',
    args: [modelId],
  })
  return {
    modelId,
    prices: new Map([
      [version - 1n, FIRST_PRICE],
      [version, SECOND_PRICE],
    ]),
  }
}

/** While the work is under way, blocks come four times as fast, each a second later than the one before. */
export async function hurry<T>(world: World, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    world.devnet.admin('evm_mine', []).catch(() => undefined)
  }, 250)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** Lets the chain's clock run ahead. */
export async function passTime(world: World, seconds: number): Promise<void> {
  await world.devnet.admin('evm_increaseTime', [seconds])
  await world.devnet.admin('evm_mine', [])
}

/** One committer's batches, of strictly increasing heights. */
export function createCommitter(world: World, sender: Sender) {
  let height = 0n
  const build = (receipts: readonly BatchEntry[]): Batch => {
    height += 1n
    return buildBatch({ deployment: world.deployment, committer: sender.address, height, receipts })
  }
  const put = async (batch: Batch, groups: readonly GroupHeader[] = groupHeaders(batch)): Promise<Batch> => {
    await sender.send({
      address: world.contracts.Settlement,
      abi: settlementAbi,
      functionName: 'commit',
      args: [batch.header.height, batch.header.dataHash, groups],
    })
    return batch
  }
  return { sender, build, put, commit: (receipts: readonly BatchEntry[]) => put(build(receipts)) }
}
export type Committer = ReturnType<typeof createCommitter>

/** A validator's signature on a committed batch, as it goes on chain. */
export async function attestationOf(
  world: World,
  batch: Pick<Batch, 'batchId' | 'header'>,
  validator: { privateKey: Hex },
  verdict: number = VERDICT.valid,
  deployment: Deployment = world.deployment,
): Promise<NamedAttestation> {
  const { committedBlock } = await world.client.readContract({
    address: world.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'batch',
    args: [batch.batchId],
  })
  const { batchId, header } = batch
  const attestation = {
    batchId,
    root: header.root,
    registryBlock: committedBlock,
    dataAvailable: true,
    verdict,
  }
  const signature = await signDigest(attestationDigest(attestation, deployment), validator.privateKey)
  return { attestation, signature, batch: header }
}

/** Has validators sign a committed batch and delivers their signatures. */
export async function attest(
  world: World,
  batch: Batch,
  validators: readonly { address: Address; privateKey: Hex }[],
  deliverer: Sender,
  verdict: number = VERDICT.valid,
): Promise<NamedAttestation[]> {
  const ascending = [...validators].sort((a, b) =>
    a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1,
  )
  const named = await Promise.all(ascending.map((one) => attestationOf(world, batch, one, verdict)))
  const block = named[0]?.attestation.registryBlock ?? 0n
  await deliverer.send({
    address: world.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'attest',
    args: [batch.batchId, block, true, verdict, named.map(({ signature }) => signature)],
  })
  return named
}
