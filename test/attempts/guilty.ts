import { developmentAccount, type Sender } from '@assay/chain'
import {
  attestationDigest,
  type Batch,
  type BatchEntry,
  batchIdOf,
  buildGroup,
  canonicalJsonBytes,
  challengeIdOf,
  DATA_PART,
  dataChallengeAbi,
  type Group,
  grantRequestId,
  groupNode,
  leafNode,
  parseCanonicalJson,
  type Receipt,
  type Row,
  rowNode,
  type SumNode,
  signDigest,
  statedBatch,
  sumTreeLevels,
  teeRegistryAbi,
  topOf,
  VERDICT,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Hex, keccak256, parseEther, toHex } from 'viem'
import { bondedOperator, FIRST_PLAYER, outfit, registerKey } from '../faults/operators.ts'
import { draftReceipt, signReceipt } from '../faults/receipts.ts'
import { attestationOf, createCommitter, passTime, type Target, type World } from './world.ts'

const COMMITTER = FIRST_PLAYER + 10
const NODE = FIRST_PLAYER + 11
const VALIDATOR = FIRST_PLAYER + 12
const KEY = FIRST_PLAYER + 13
const ROGUE = FIRST_PLAYER + 14
const ENDED = FIRST_PLAYER + 15
const GRANT = keccak256(toHex('a guilty grant'))
/** Seconds past GRACE and past DATA_RESPONSE of an unhurried chain. */
const [PAST_GRACE, PAST_RESPONSE] = [8, 1800 + 5]

/** Parties that are guilty of one fault each: what convicts them must not be found against the honest. */
export async function createGuilty(world: World): Promise<Target[]> {
  const [operator, node] = await Promise.all([
    bondedOperator(world, COMMITTER, 'http://127.0.0.1:9'),
    bondedOperator(world, NODE, 'http://127.0.0.1:9'),
  ])
  const [secret, rogueSecret, endedSecret] = [KEY, ROGUE, ENDED].map(
    (index) => developmentAccount(index).privateKey,
  ) as [Hex, Hex, Hex]
  const [key, ended] = [await registerKey(world, node, secret), await registerKey(world, node, endedSecret)]
  const rogue = developmentAccount(ROGUE).address
  const committer = createCommitter(world, operator)
  let seq = 0n
  const receipt = async (change: Partial<Receipt> = {}, by = secret): Promise<BatchEntry> => {
    seq += 1n
    const drafted = await draftReceipt(world, {
      requestId: keccak256(toHex(`guilty ${seq}`)),
      payer: developmentAccount(FIRST_PLAYER).address,
      node: node.address,
      key,
      seq,
      committer: operator.address,
      ...change,
    })
    return signReceipt(world, drafted, by)
  }
  const granted = async (counter: bigint, change: Partial<Receipt> = {}): Promise<BatchEntry> => {
    const payer = developmentAccount(FIRST_PLAYER).address
    const grant = { id: GRANT, counter }
    const { chainId, contracts } = world
    const requestId = grantRequestId({ chainId, escrow: contracts.InferenceEscrow, payer, grant })
    return { ...(await receipt({ requestId, ...change })), grant }
  }
  const target = (name: string, parts: Partial<Target>): Target => ({
    name,
    batches: [],
    receipts: [],
    attestations: [],
    challenges: [],
    ...parts,
  })
  const batchOf = async (name: string, ...entries: BatchEntry[]): Promise<Target> => {
    const batch = await committer.commit(entries)
    return target(name, { batches: [batch], receipts: entries })
  }

  const [first, second] = [await receipt({ seq: 1_000n }), await receipt({ seq: 1_000n })]
  const call = await granted(3n)
  const twice = [await committer.commit([call]), await committer.commit([call])]
  const wrong = { ...(await granted(1n)), grant: { id: GRANT, counter: 2n } }
  const dated = await receipt({ issuedAt: (await world.client.getBlock()).timestamp + 60n })
  const targets = [
    await batchOf('a receipt that another key signed', await receipt({}, rogueSecret), await receipt()),
    await batchOf('a receipt of an unregistered key', await receipt({ key: rogue }, rogueSecret)),
    await batchOf('a receipt of the future', dated),
    { ...(await batchOf('a node that answered twice under one number', first)), receipts: [first, second] },
    await batchOf('a call that its grant does not pay for', wrong),
    target('a call of a grant that is batched twice', { batches: twice, receipts: [call] }),
    await batchOf('a stranger that batches a call too early', await granted(4n, { committer: rogue })),
    await batchOf('a price above its row', await receipt({ price: 1n })),
    target('a row of another payer', {
      batches: [await committer.put(foreignRow(committer.build([await receipt()])))],
    }),
    target('a group that claims more', {
      batches: [await committer.put(lyingGroup(committer.build([await receipt(), await granted(9n)])))],
    }),
    target('a leaf that claims more', {
      batches: [await committer.put(lyingLeaf(committer.build([await receipt(), await receipt()])))],
    }),
    await twoFaced(world, committer.build([await receipt()]), await committer.commit([await receipt()])),
  ]
  await node.send({
    address: world.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'revokeKey',
    args: [ended],
  })
  await passTime(world, PAST_GRACE)
  targets.push(await batchOf('a receipt of a key that had ended', await receipt({ key: ended }, endedSecret)))
  const withheld = await committer.commit([await receipt()])
  targets.push(
    target('a batch whose data nobody shows', {
      batches: [withheld],
      challenges: [await withhold(world, withheld, operator)],
    }),
  )
  return targets
}

function foreignRow(honest: Batch): Batch {
  const file = parseCanonicalJson(honest.file, honest.file.length) as { rows: { payer: string }[] }
  for (const row of file.rows) row.payer = `0x${'9'.repeat(40)}`
  return statedBatch(canonicalJsonBytes(file as never))
}

/** The batch over groups that are not what they were. */
function withGroups(batch: Batch, groups: Group[]): Batch {
  const groupLevels = sumTreeLevels(groups.map(({ summary }) => summary))
  const { hash: root, sum, exposure, count } = topOf(groupLevels)
  const header = { ...batch.header, root, sum, exposure, count }
  return { ...batch, header, batchId: batchIdOf(header), groups, groupLevels }
}

const more = (node: SumNode): SumNode => ({ ...node, sum: node.sum + 1000n, exposure: node.exposure + 1000n })

function lyingGroup(honest: Batch): Batch {
  const groups = honest.groups.map((group) => {
    const top = more(group.top)
    const levels = [...group.levels.slice(0, -1), [top]]
    return { ...group, levels, top, summary: groupNode(group.node, top) }
  })
  return withGroups(honest, groups)
}

function lyingLeaf(honest: Batch): Batch {
  const lyingRow = (row: Row): Row => {
    const [first, ...rest] = row.receipts.map(leafNode) as [SumNode, ...SumNode[]]
    const levels = sumTreeLevels([more(first), ...rest])
    return { ...row, levels, top: topOf(levels), summary: rowNode(row, topOf(levels)) }
  }
  return withGroups(
    honest,
    honest.groups.map(({ node, rows }) => buildGroup(node, rows.map(lyingRow))),
  )
}

/** A validator with a little stake that signs for two batches of one height, and for and against one batch. */
async function twoFaced(world: World, fork: Batch, committed: Batch): Promise<Target> {
  const staking = { address: world.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  const validator = await outfit(world, VALIDATOR, parseEther('200'), [staking.address])
  await validator.send({
    ...staking,
    functionName: 'register',
    args: ['http://127.0.0.1:9', parseEther('200')],
  })
  const secret = developmentAccount(VALIDATOR)
  // Its stake must have stood before the commit.
  const by = createCommitter(world, await bondedOperator(world, COMMITTER + 6, 'http://127.0.0.1:9'))
  const entries = committed.groups.flatMap(({ rows }) => rows.flatMap(({ receipts }) => receipts))
  const batch = await by.commit(entries)
  const other = { ...batch.header, root: fork.header.root }
  const yes = await attestationOf(world, batch, secret)
  const no = await attestationOf(world, batch, secret, VERDICT.invalid)
  const elsewhere = { ...yes.attestation, batchId: batchIdOf(other), root: other.root }
  return {
    name: 'a validator that says two things',
    batches: [batch],
    receipts: [],
    attestations: [yes, no, await resign(world, elsewhere, secret.privateKey, other)],
    challenges: [],
  }
}

async function resign(
  world: World,
  attestation: Parameters<typeof attestationDigest>[0],
  secret: Hex,
  batch: Batch['header'],
) {
  const signature = await signDigest(attestationDigest(attestation, world.deployment), secret)
  return { attestation, signature, batch }
}

/** The committer demands a part of its own batch and never shows it: not even its own challenge pays. */
async function withhold(world: World, batch: Batch, operator: Sender): Promise<Hex> {
  const challenge = { address: world.contracts.DataChallenge, abi: dataChallengeAbi } as const
  await outfit(world, COMMITTER, parseEther('100'), [challenge.address])
  await operator.send({ ...challenge, functionName: 'demand', args: [batch.batchId, DATA_PART.chunk, 0n] })
  await passTime(world, PAST_RESPONSE)
  const challengeId = challengeIdOf(batch.batchId, DATA_PART.chunk, 0n)
  await operator.send({ ...challenge, functionName: 'conclude', args: [challengeId] })
  return challengeId
}
