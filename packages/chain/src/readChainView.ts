import {
  type BatchEntry,
  deploymentOf,
  type Evidence,
  type Inclusion,
  inferenceEscrowAbi,
  modelRegistryAbi,
  type Network,
  RECORD_KIND,
  settlementAbi,
  teeRegistryAbi,
} from '@assay/protocol'
import { BATCH_STATE, type ChainView, type Interval, type KeyView } from '@assay/verify'
import {
  type Address,
  BlockNotFoundError,
  type Hex,
  type PublicClient,
  pad,
  zeroAddress,
  zeroHash,
} from 'viem'
import { readBatch } from './readBatch.ts'
import { readGrant, readSettledRows } from './readGrant.ts'

export type ReadChainViewOptions = {
  /** Names the batch to read. */
  inclusion?: Pick<Inclusion, 'batchId'> | undefined
  /** Not read: evidence is checked against the key's record, which is always part of the view. */
  evidence?: Evidence | undefined
  /** Block at which to read. The newest by default; give the `safe` one to be spared a reorg. */
  blockNumber?: bigint | undefined
}

/**
 * Reads from the chain everything that `verifyBundle` and `verifyReceipt` need to know about one receipt, at one block.
 * Records that the chain does not have are null. A read that fails is an error, never a null.
 * @throws viem's errors where the chain does not answer.
 */
export async function readChainView(
  client: PublicClient,
  network: Network,
  { receipt, grant: call }: BatchEntry,
  options: ReadChainViewOptions = {},
): Promise<ChainView> {
  const head = await client.getBlock(
    options.blockNumber === undefined ? { blockTag: 'latest' } : { blockNumber: options.blockNumber },
  )
  const { contracts } = network
  const at = { blockNumber: head.number }
  const registry = { ...at, address: contracts.TeeRegistry, abi: teeRegistryAbi } as const
  const models = { ...at, address: contracts.ModelRegistry, abi: modelRegistryAbi } as const
  const batchId = options.inclusion?.batchId
  const suspension = (kind: keyof typeof RECORD_KIND, hardwareType: Hex, id: Hex) =>
    client.readContract({
      ...registry,
      functionName: 'suspension',
      args: [RECORD_KIND[kind], hardwareType, id],
    })
  const [chainId, deploymentId, key, stopped, anchor, model, price, batch, payment] = await Promise.all([
    client.getChainId(),
    client.readContract({
      ...at,
      address: contracts.Settlement,
      abi: settlementAbi,
      functionName: 'deploymentId',
    }),
    client.readContract({ ...registry, functionName: 'key', args: [receipt.key] }),
    suspension('key', zeroHash, pad(receipt.key)),
    readAnchor(client, receipt.anchorBlock, head.number),
    client.readContract({ ...models, functionName: 'model', args: [receipt.modelId] }),
    client.readContract({
      ...models,
      functionName: 'priceRow',
      args: [receipt.modelId, receipt.priceVersion],
    }),
    batchId === undefined ? null : readBatch(client, network, batchId, { blockNumber: head.number }),
    client.readContract({
      ...at,
      address: contracts.InferenceEscrow,
      abi: inferenceEscrowAbi,
      functionName: 'payment',
      args: [receipt.requestId],
    }),
  ])
  const keyView = keyFrom(key, stopped)
  const attested = keyView !== null && !keyView.bonded
  const [hardware, root, measurement, ...stops] = attested
    ? await Promise.all([
        client.readContract({ ...registry, functionName: 'hardware', args: [keyView.hardwareType] }),
        client.readContract({
          ...registry,
          functionName: 'root',
          args: [keyView.hardwareType, keyView.rootHash],
        }),
        client.readContract({
          ...registry,
          functionName: 'measurement',
          args: [keyView.hardwareType, keyView.measurement],
        }),
        suspension('hardware', keyView.hardwareType, zeroHash),
        suspension('root', keyView.hardwareType, keyView.rootHash),
        suspension('measurement', keyView.hardwareType, keyView.measurement),
      ])
    : []
  const known = call === undefined ? undefined : await readGrant(client, network, call.id, head.number)
  const settledRows =
    known === undefined || batch === null || batch.state !== BATCH_STATE.final
      ? null
      : await readSettledRows(client, network, batch, known.id)
  const [perCall, inputPrice, outputPrice, validFrom] = price
  const [publisher, publishedAt] = model
  const [payer, gateway, amount, paid, , paymentState] = payment
  return {
    deployment: { ...deploymentOf(network), chainId, deploymentId },
    escrow: contracts.InferenceEscrow,
    blockNumber: head.number,
    now: head.timestamp,
    key: keyView,
    hardware: intervalFrom(hardware, stops[0]),
    root: intervalFrom(root, stops[1]),
    measurement:
      measurement === undefined || measurement[0] === 0n
        ? null
        : {
            validFrom: measurement[0],
            revokedAt: measurement[1],
            engineClasses: measurement[2],
            suspension: suspensionFrom(stops[2]),
          },
    price: validFrom === 0n ? null : { perCall, inputPrice, outputPrice, validFrom },
    publisher: publishedAt === 0n ? null : publisher,
    anchor,
    batch,
    payment: paymentState === 0 ? null : { payer, gateway, amount, paid, state: paymentState },
    grant: known === undefined ? null : { grant: known.grant, account: known.account, settledRows },
  }
}

type KeyTuple = readonly [Address, Hex, Hex, Hex, number, Hex, bigint, bigint, boolean]

function keyFrom(tuple: KeyTuple, stopped: Suspension): KeyView | null {
  const [
    node,
    hardwareType,
    rootHash,
    measurement,
    engineClasses,
    evidenceHash,
    validFrom,
    revokedAt,
    bonded,
  ] = tuple
  if (node === zeroAddress) return null
  return {
    node,
    hardwareType,
    rootHash,
    measurement,
    engineClasses,
    evidenceHash,
    validFrom,
    revokedAt,
    bonded,
    suspension: suspensionFrom(stopped),
  }
}

type Suspension = readonly [from: bigint, until: bigint]

function suspensionFrom(tuple: Suspension | undefined): Interval['suspension'] {
  return tuple === undefined || tuple[0] === 0n ? undefined : { from: tuple[0], until: tuple[1] }
}

function intervalFrom(
  tuple: readonly [bigint, bigint] | undefined,
  stopped: Suspension | undefined,
): Interval | null {
  if (tuple === undefined || tuple[0] === 0n) return null
  return { validFrom: tuple[0], revokedAt: tuple[1], suspension: suspensionFrom(stopped) }
}

async function readAnchor(
  client: PublicClient,
  blockNumber: bigint,
  newest: bigint,
): Promise<ChainView['anchor']> {
  // A receipt may name any number; one beyond the chain is not worth a question.
  if (blockNumber > newest) return null
  try {
    const block = await client.getBlock({ blockNumber })
    return { hash: block.hash, timestamp: block.timestamp }
  } catch (error) {
    if (error instanceof BlockNotFoundError) return null
    throw error
  }
}
