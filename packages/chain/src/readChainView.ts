import {
  type BatchEntry,
  deploymentOf,
  type Evidence,
  type Inclusion,
  inferenceEscrowAbi,
  MODE,
  manifestOfUri,
  modelRegistryAbi,
  type Network,
  RECORD_KIND,
  settlementAbi,
  teeRegistryAbi,
} from '@assay/protocol'
import {
  BATCH_STATE,
  type ChainView,
  type Interval,
  type KeyView,
  RULE_KINDS,
  type Rules,
  readRule,
  rulesOfEvidence,
} from '@assay/verify'
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
import { readTeeRules } from './readTeeRules.ts'

export type ReadChainViewOptions = {
  /** Names the batch to read. */
  inclusion?: Pick<Inclusion, 'batchId'> | undefined
  /** Names the rules and the block that are read to judge it. */
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
  const { evidence } = options
  const [
    chainId,
    deploymentId,
    key,
    stopped,
    [, expiresAt],
    evidenceAnchor,
    anchor,
    model,
    price,
    batch,
    payment,
  ] = await Promise.all([
    client.getChainId(),
    client.readContract({
      ...at,
      address: contracts.Settlement,
      abi: settlementAbi,
      functionName: 'deploymentId',
    }),
    client.readContract({ ...registry, functionName: 'key', args: [receipt.key] }),
    suspension('key', zeroHash, pad(receipt.key)),
    client.readContract({ ...registry, functionName: 'term', args: [receipt.key] }),
    evidence === undefined ? undefined : readAnchor(client, evidence.anchorBlock, head.number),
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
  const keyView = keyFrom(key, stopped, expiresAt)
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
  const [publisher, publishedAt, , , uri, weightsHash] = model
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
    rules:
      evidence === undefined || keyView === null
        ? undefined
        : await rulesFor(client, network, evidence, keyView, receipt.issuedAt, head.number),
    evidenceAnchor,
    price: validFrom === 0n ? null : { perCall, inputPrice, outputPrice, validFrom },
    publisher: publishedAt === 0n ? null : publisher,
    model:
      publishedAt === 0n || receipt.mode !== MODE.zk
        ? undefined
        : { weightsHash, manifest: manifestOfUri(uri, receipt.modelId) },
    anchor,
    batch,
    payment: paymentState === 0 ? null : { payer, gateway, amount, paid, state: paymentState },
    grant: known === undefined ? null : { grant: known.grant, account: known.account, settledRows },
  }
}

type KeyTuple = readonly [Address, Hex, Hex, Hex, number, Hex, bigint, bigint, boolean]

/** A floor is asked of evidence when it is registered; a machine that was denied since is denied from then on. */
async function rulesFor(
  client: PublicClient,
  network: Network,
  evidence: Evidence,
  { hardwareType, validFrom }: KeyView,
  issuedAt: bigint,
  blockNumber: bigint,
): Promise<Rules> {
  const names = rulesOfEvidence(evidence) ?? []
  const isDenial = (name: string): boolean => {
    const kind = readRule(name)?.kind
    return kind !== undefined && RULE_KINDS[kind].effect === 'denial'
  }
  const read = (asked: readonly string[], at: bigint) =>
    readTeeRules(client, network, { hardwareType, names: asked, at, blockNumber })
  const [then, since] = await Promise.all([
    read(
      names.filter((name) => !isDenial(name)),
      validFrom,
    ),
    read(names.filter(isDenial), issuedAt > validFrom ? issuedAt : validFrom),
  ])
  return new Map([...then, ...since])
}

function keyFrom(tuple: KeyTuple, stopped: Suspension, expiresAt: bigint): KeyView | null {
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
    expiresAt,
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
