import { DEVELOPMENT_ROLES, developmentAccount, type Sender } from '@assay/chain'
import {
  type Batch,
  type BatchEntry,
  batchEntries,
  batchIdOf,
  contractEntry,
  type Deployment,
  grantRequestId,
  inferenceEscrowAbi,
  priceOf,
  proveInclusion,
  type Receipt,
  receiptDigest,
  settlementAbi,
  signDigest,
  teeRegistryAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Address, type Hex, keccak256, parseEther, toHex } from 'viem'
import { bondedOperator, FIRST_PLAYER, openTill, outfit, registerKey, senderOf } from '../faults/operators.ts'
import { payInto } from '../faults/payments.ts'
import { draftReceipt, signReceipt } from '../faults/receipts.ts'
import { attest, attestationOf, createCommitter, passTime, type Target, type World } from './world.ts'

/** Players of the public development phrase. */
const SECOND_NODE = FIRST_PLAYER
const DELEGATOR = FIRST_PLAYER + 1
const KEYS = { live: FIRST_PLAYER + 2, ended: FIRST_PLAYER + 3, second: FIRST_PLAYER + 4 } as const
export const VALIDATORS = DEVELOPMENT_ROLES.validators.map(developmentAccount)
const GRANT = keccak256(toHex('an honest grant'))
/** Seconds past ATTEST_TIMEOUT, past GRACE and past CHALLENGE_WINDOW of an unhurried chain. */
const [PAST_EXPIRY, PAST_GRACE, PAST_CHALLENGES] = [2 * 3600 + 5, 8, 8]
/** Seconds by which a receipt may be dated ahead: within the skew, and later than the next blocks. */
const AHEAD = 4n

export type Honest = Target & {
  accounts: Address[]
  validators: Address[]
  operators: Address[]
  /** Of payments that stand, or were paid out. */
  payments: Hex[]
  /** A batch of which parts may be demanded; its committer answers. */
  demandable: Batch
  committer: Sender
}

type Node = { sender: Sender; key: Address; keySecret: Hex }

/** Honest receipts, batches and attestations of every kind there is, all of them on the chain. */
export async function createHonest(world: World): Promise<Honest> {
  const gateway = senderOf(world, DEVELOPMENT_ROLES.gateway)
  const payer = developmentAccount(DEVELOPMENT_ROLES.demo)
  const [first, second] = [
    senderOf(world, DEVELOPMENT_ROLES.node),
    await bondedOperator(world, SECOND_NODE, 'http://127.0.0.1:9'),
  ]
  await openTill(world, gateway, 'http://127.0.0.1:9')
  const nodeOf = async (sender: Sender, index: number): Promise<Node> => {
    const keySecret = developmentAccount(index).privateKey
    return { sender, keySecret, key: await registerKey(world, sender, keySecret) }
  }
  const live = await nodeOf(first, KEYS.live)
  const ended = await nodeOf(first, KEYS.ended)
  const other = await nodeOf(second, KEYS.second)
  await backValidator(world)

  const committer = createCommitter(world, gateway)
  let seq = 0n
  const seen: BatchEntry[] = []
  const receipt = async (node: Node, change: Partial<Receipt> = {}): Promise<BatchEntry> => {
    seq += 1n
    const [priceVersion, row] = [...world.prices][Number(seq) % world.prices.size] as [bigint, never]
    const usage = { inputUnits: 10n + seq, outputUnits: 5n }
    const drafted = await draftReceipt(world, {
      requestId: keccak256(toHex(`honest ${seq}`)),
      payer: payer.address,
      node: node.sender.address,
      key: node.key,
      seq,
      committer: gateway.address,
      modelId: world.modelId,
      priceVersion,
      ...usage,
      price: priceOf(row, { ...usage, failed: false }),
      ...change,
    })
    const entry = await signReceipt(world, drafted, node.keySecret)
    seen.push(entry)
    return entry
  }
  const granted = async (node: Node, counter: bigint): Promise<BatchEntry> => {
    const grant = { id: GRANT, counter }
    const { chainId, contracts } = world
    const escrow = contracts.InferenceEscrow
    const requestId = grantRequestId({ chainId, escrow, payer: payer.address, grant })
    return { ...(await receipt(node, { requestId })), grant }
  }
  const payments: Hex[] = []
  const paid = async (node: Node): Promise<BatchEntry> => {
    const payment = { payerKey: payer.privateKey, gateway: gateway.address, collector: gateway, value: 5000n }
    const requestId = await payInto(world, payment)
    payments.push(requestId)
    return receipt(node, { requestId })
  }

  // What found no quorum in time is batched again: each call of a grant stands in two batches, of which one counts.
  const late = [await granted(live, 1n), await receipt(live), await paid(live)]
  const expired = await committer.commit(late)
  const beforeTheEnd = [await receipt(ended), await receipt(ended)]
  await passTime(world, PAST_EXPIRY)
  await transition(world, gateway, 'expire', expired)
  const again = await committer.commit([...late, await granted(live, 2n), await paid(other)])

  const settled = await committer.commit([await paid(live), await paid(other)])
  const attestations = await attest(world, settled, VALIDATORS, gateway)
  await passTime(world, PAST_CHALLENGES)
  await transition(world, gateway, 'finalise', settled)
  await settle(world, gateway, settled)

  // A key that its operator ends: what is batched in the grace after is as good as what it signed before.
  const issuedAt = (await world.client.getBlock()).timestamp + AHEAD
  const inGrace = committer.build([await receipt(ended, { issuedAt }), await receipt(ended, { issuedAt })])
  const registry = { address: world.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  await Promise.all([
    first.send({ ...registry, functionName: 'revokeKey', args: [ended.key] }),
    committer.put(inGrace),
  ])
  await passTime(world, PAST_GRACE)
  const longAfter = await committer.commit([...beforeTheEnd, await receipt(live)])

  const many = await Promise.all(
    Array.from({ length: 9 }, (_, at) =>
      receipt(at % 2 === 0 ? live : other, { payer: `0x${String(at % 3).repeat(40)}` }),
    ),
  )
  const attested = await committer.commit([...many, await granted(other, 3n), await paid(live)])
  attestations.push(...(await attest(world, attested, VALIDATORS, gateway)))
  const failed = await receipt(live, { status: 2, outputUnits: 0n, price: 0n })
  const demandable = await committer.commit([
    failed,
    ...(await Promise.all(Array.from({ length: 14 }, () => receipt(live)))),
  ])

  const foreign = await elsewhere(world, seen, [live, other, ended], [settled, attested])
  return {
    name: 'the honest',
    batches: [expired, again, settled, inGrace, longAfter, attested, demandable],
    receipts: [...seen, ...foreign.receipts],
    attestations: [...attestations, ...foreign.attestations],
    challenges: [],
    accounts: [
      gateway.address,
      first.address,
      second.address,
      payer.address,
      developmentAccount(DELEGATOR).address,
      ...VALIDATORS.map(({ address }) => address),
    ],
    validators: VALIDATORS.map(({ address }) => address),
    operators: [gateway.address, first.address, second.address],
    payments,
    demandable,
    committer: gateway,
  }
}

/** Somebody delegates, and takes a part back: it stays liable until its time has passed. */
async function backValidator(world: World): Promise<void> {
  const staking = { address: world.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  const delegator = await outfit(world, DELEGATOR, parseEther('500'), [staking.address])
  const [validator] = VALIDATORS
  const args = [validator?.address, parseEther('400'), 0n]
  await delegator.send({ ...staking, functionName: 'delegate', args })
  await delegator.send({
    ...staking,
    functionName: 'undelegate',
    args: [validator?.address, parseEther('150')],
  })
}

async function transition(world: World, by: Sender, functionName: string, batch: Batch): Promise<void> {
  await by.send({
    address: world.contracts.Settlement,
    abi: settlementAbi,
    functionName,
    args: [batch.batchId],
  })
}

async function settle(world: World, by: Sender, batch: Batch): Promise<void> {
  const items = batchEntries(batch).map(({ receipt }) => {
    const { entry, ...path } = proveInclusion(batch, receipt.requestId)
    return { batchId: batch.batchId, entry: contractEntry(entry), path }
  })
  await by.send({
    address: world.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'settle',
    args: [items],
  })
}

/** What the same keys say on other deployments, about the same sequence numbers and heights. */
async function elsewhere(
  world: World,
  receipts: readonly BatchEntry[],
  nodes: readonly Node[],
  batches: readonly Batch[],
) {
  const { deployment } = world
  const places: Deployment[] = [
    { ...deployment, deploymentId: keccak256(deployment.deploymentId) },
    { ...deployment, chainId: deployment.chainId + 1 },
    { ...deployment, settlement: world.contracts.InferenceEscrow },
  ]
  const signed = receipts.slice(0, 12).map(async ({ receipt }, at) => {
    const secret = nodes.find(({ key }) => key === receipt.key)?.keySecret as Hex
    const said = { ...receipt, responseHash: keccak256(receipt.responseHash) }
    const place = places[at % places.length] as Deployment
    return { receipt: said, signature: await signDigest(receiptDigest(said, place), secret) }
  })
  const voted = batches.flatMap((batch) =>
    places.map(async (place) => {
      const header = { ...batch.header, root: keccak256(batch.header.root) }
      const named = await attestationOf(world, batch, VALIDATORS[0] as { privateKey: Hex }, 1, place)
      return {
        ...named,
        attestation: { ...named.attestation, batchId: batchIdOf(header), root: header.root },
        batch: header,
      }
    }),
  )
  return { receipts: await Promise.all(signed), attestations: await Promise.all(voted) }
}
