import {
  type Batch,
  buildBatch,
  deploymentOf,
  ENGINE_CLASS,
  MODE,
  modelRegistryAbi,
  type Network,
  priceOf,
  type Receipt,
  receiptDigest,
  type SignedReceipt,
  STATUS,
  settlementAbi,
  signDigest,
} from '@assay/protocol'
import { type Address, type Hex, type PublicClient, toHex, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

/** Receipts in one canary: as many as in a small honest batch. */
const MOST_RECEIPTS = 4
/** As nodes write it. */
const INCLUDE_SECONDS = 600n
/** Blocks behind the newest that a receipt is anchored in: far enough that none is taken back. */
const ANCHOR_DEPTH = 2n

const random = (bytes: number): Hex => toHex(crypto.getRandomValues(new Uint8Array(bytes)))
const below = (limit: number): number => (crypto.getRandomValues(new Uint32Array(1))[0] as number) % limit

/**
 * A batch that looks like any other and holds answers that nobody gave: of payers that do not exist, under a key that nobody
 * registered. No real payer's money is in it, so that it may be a canary (docs/spec.md §11).
 * @param sower its committer, and the node whose receipts it pretends to hold
 */
export async function designCanary(client: PublicClient, network: Network, sower: Address): Promise<Batch> {
  const deployment = deploymentOf(network)
  const height = await client.readContract({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'lastHeight',
    args: [sower],
  })
  const secret = generatePrivateKey()
  const base = await baseReceipt(client, network, sower, secret)
  const receipts: SignedReceipt[] = []
  const count = 1 + below(MOST_RECEIPTS)
  for (let seq = 1; seq <= count; seq++) {
    const receipt = {
      ...base,
      requestId: random(32),
      payer: random(20) as Address,
      requestHash: random(32),
      responseHash: random(32),
      seq: BigInt(seq),
    }
    receipts.push({ receipt, signature: await signDigest(receiptDigest(receipt, deployment), secret) })
  }
  return buildBatch({ deployment, committer: sower, height: height + 1n, receipts })
}

async function baseReceipt(
  client: PublicClient,
  network: Network,
  sower: Address,
  secret: Hex,
): Promise<Receipt> {
  const newest = await client.getBlock()
  const anchor = await client.getBlock({
    blockNumber: newest.number > ANCHOR_DEPTH ? newest.number - ANCHOR_DEPTH : 0n,
  })
  const units = { inputUnits: BigInt(20 + below(200)), outputUnits: BigInt(10 + below(200)) }
  const lower = (address: Address) => address.toLowerCase() as Address
  return {
    version: 1,
    requestId: zeroHash,
    payer: lower(sower),
    node: lower(sower),
    key: lower(privateKeyToAccount(secret).address),
    seq: 0n,
    committer: lower(sower),
    includeBy: newest.timestamp + INCLUDE_SECONDS,
    ...(await modelAndPrice(client, network, units)),
    engineClass: ENGINE_CLASS.enclave,
    mode: MODE.tee,
    status: STATUS.complete,
    requestHash: zeroHash,
    responseHash: zeroHash,
    evidenceHash: zeroHash,
    ...units,
    valueAtRisk: 0n,
    anchorBlock: anchor.number,
    anchorHash: anchor.hash,
    issuedAt: newest.timestamp,
  }
}

/** The network's first model at what it costs now; where there is none, a model that nobody published. */
async function modelAndPrice(
  client: PublicClient,
  network: Network,
  units: { inputUnits: bigint; outputUnits: bigint },
): Promise<Pick<Receipt, 'modelId' | 'priceVersion' | 'price'>> {
  const modelId = network.models[0]?.modelId
  if (modelId === undefined) return { modelId: random(32), priceVersion: 1n, price: 0n }
  const registry = { address: network.contracts.ModelRegistry, abi: modelRegistryAbi } as const
  const priceVersion = await client.readContract({
    ...registry,
    functionName: 'currentPriceVersion',
    args: [modelId],
  })
  const [perCall, inputPrice, outputPrice] = await client.readContract({
    ...registry,
    functionName: 'priceRow',
    args: [modelId, priceVersion],
  })
  const price = priceOf({ perCall, inputPrice, outputPrice }, { ...units, failed: false })
  return { modelId, priceVersion, price }
}
