/** Every proof that TypeScript encodes, shown to the contracts on a chain; and the gas that each takes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  attestationDigest,
  type Batch,
  batchIdOf,
  buildBatch,
  canonicalJsonBytes,
  challengeIdOf,
  chunkTree,
  DATA_PART,
  dataChallengeAbi,
  equivocationFaultAbi,
  FAULT_CLASS,
  faultCommitment,
  faultIdOf,
  groupHeaders,
  type NamedAttestation,
  nodeEquivocationProof,
  parseCanonicalJson,
  rowFaultAbi,
  rowFaultProof,
  signDigest,
  statedBatch,
  sumFaultAbi,
  sumFaultProof,
  teeFaultAbi,
  teeFaultProof,
  twiceFaultProof,
  VERDICT,
  validatorEquivocationProof,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Address, type Hex, parseEther, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type FaultChain, PRICE, ROGUE, startFaultChain } from '../../../test/faults/faultChain.ts'
import { headerWithLie, placesIn } from '../../../test/faults/lyingTree.ts'
import { outfit } from '../../../test/faults/operators.ts'
import { rootOver } from '../../../test/faults/rootOver.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { DEVELOPMENT_ROLES, developmentAccount, type Sender } from '../src/index.ts'

/** What a proof may take (docs: each below 2M, and below Base's cap of a transaction). */
const GAS_LIMIT = 2_000_000n
const HUNTER = 19
/** Seconds past DATA_RESPONSE of an unhurried chain. */
const PAST_RESPONSE = 1800 + 5
const SALT = toHex('salt', { size: 32 })

let on: FaultChain
let hunter: Sender
const gas: Record<string, bigint> = {}

before(async () => {
  on = await startFaultChain(temporaryFolder('faults'))
  hunter = await outfit(on.network, HUNTER, parseEther('1000'), [on.network.contracts.DataChallenge])
})
after(async () => {
  await on.close()
  for (const [name, used] of Object.entries(gas)) console.log(`gas ${name.padEnd(34)} ${used}`)
})

async function committed(batch: Batch): Promise<Batch> {
  await on.commit(batch)
  return batch
}

/** Announces and shows a proof as a hunter does. @throws AssayError `conflict` where it does not hold */
async function prove(name: string, faultClass: number, proof: Hex): Promise<void> {
  const commitment = faultCommitment(hunter.address, faultClass, proof, SALT)
  await hunter.send({ ...on.faults, functionName: 'announce', args: [commitment] })
  const { gasUsed } = await hunter.send({
    ...on.faults,
    functionName: 'prove',
    args: [faultClass, proof, SALT],
  })
  gas[name] = gasUsed
  assert.ok(gasUsed < GAS_LIMIT, `${name} takes ${gasUsed} gas`)
}

async function isProven(faultClass: number, faultKey: Hex): Promise<boolean> {
  const { provenAt } = await on.client.readContract({
    ...on.faults,
    functionName: 'fault',
    args: [faultIdOf(faultClass, faultKey)],
  })
  return provenAt > 0n
}

async function assertVoid(faultClass: number, batchId: Hex): Promise<void> {
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  assert.ok(await isProven(faultClass, batchId))
}

/** Where the judge of a class stands, and what it says. */
const JUDGES = {
  [FAULT_CLASS.tee]: ['TeeFault', teeFaultAbi],
  [FAULT_CLASS.equivocation]: ['EquivocationFault', equivocationFaultAbi],
  [FAULT_CLASS.sum]: ['SumFault', sumFaultAbi],
  [FAULT_CLASS.row]: ['RowFault', rowFaultAbi],
} as const

/** What the judge finds, without a transaction. */
async function judge(faultClass: keyof typeof JUDGES, proof: Hex) {
  const [name, abi] = JUDGES[faultClass]
  return on.client.readContract({
    address: on.network.contracts[name],
    abi: abi as typeof teeFaultAbi,
    functionName: 'judge',
    args: [proof],
  })
}

async function refused(faultClass: keyof typeof JUDGES, proof: Hex, error: string): Promise<void> {
  await assert.rejects(judge(faultClass, proof), new RegExp(error))
}

async function holds(faultClass: keyof typeof JUDGES, proof: Hex, batchId: Hex): Promise<void> {
  const finding = await judge(faultClass, proof)
  assert.equal(finding.batchId, batchId)
  assert.equal(finding.committer.toLowerCase(), on.committer.address.toLowerCase())
  assert.ok(finding.voids && finding.attesters)
}

test('class 1: a receipt that another key signed, and one of a key that nobody registered', async () => {
  const forged = await on.signed({}, ROGUE)
  const first = await committed(await on.among(forged))
  await prove('1 tee', FAULT_CLASS.tee, teeFaultProof(first, forged.receipt.requestId))
  await assertVoid(FAULT_CLASS.tee, first.batchId)

  const rogue = privateKeyToAccount(ROGUE).address.toLowerCase() as Address
  const unknown = await on.signed({ key: rogue }, ROGUE)
  const second = await committed(await on.among(unknown))
  await holds(FAULT_CLASS.tee, teeFaultProof(second, unknown.receipt.requestId), second.batchId)
})

test('class 1: no honest receipt of any row can be shown as bad', async () => {
  const batch = await committed(await on.among(await on.signed(), await on.granted(90n)))
  for (const group of batch.groups) {
    for (const { receipts } of group.rows) {
      const [entry] = receipts
      assert.ok(entry)
      const proof = teeFaultProof(batch, entry.receipt.requestId)
      await refused(FAULT_CLASS.tee, proof, 'ReceiptHolds')
    }
  }
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.committed)
})

test('class 3: a node that signed two answers under one sequence number', async () => {
  const first = await on.signed()
  const second = await on.signed({ seq: first.receipt.seq })
  const batch = await committed(await on.among(first))
  await prove('3 node', FAULT_CLASS.equivocation, nodeEquivocationProof(first, second, batch))
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.void)
  const other = await on.signed()
  await refused(FAULT_CLASS.equivocation, nodeEquivocationProof(first, other), 'NoContradiction')
})

test('class 3: a validator that signed for two roots at one height, or said yes and no', async () => {
  const named = async (batch: Batch, validator: number, verdict: number): Promise<NamedAttestation> => {
    const { committedBlock } = await on.client.readContract({
      ...on.settlement,
      functionName: 'batch',
      args: [batch.batchId],
    })
    const attestation = {
      batchId: batch.batchId,
      root: batch.header.root,
      registryBlock: BigInt(committedBlock),
      dataAvailable: true,
      verdict,
    }
    const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.validators[validator] as number)
    const signature = await signDigest(attestationDigest(attestation, on.deployment), privateKey)
    return { attestation, signature, batch: batch.header }
  }
  const batch = await committed(await on.among(await on.signed()))
  const fork = buildBatch({
    deployment: on.deployment,
    committer: on.committer.address,
    height: batch.header.height,
    receipts: [await on.signed()],
  })
  const [real, other] = [await named(batch, 0, VERDICT.valid), await named(fork, 0, VERDICT.valid)]
  await prove('3 validator, two roots', FAULT_CLASS.equivocation, validatorEquivocationProof(other, real))
  const [yes, no] = [await named(batch, 1, VERDICT.valid), await named(batch, 1, VERDICT.invalid)]
  const { validator } = await judge(FAULT_CLASS.equivocation, validatorEquivocationProof(yes, no))
  assert.equal(validator, developmentAccount(DEVELOPMENT_ROLES.validators[1]).address)
  const [a, b] = [await named(batch, 2, VERDICT.valid), await named(batch, 2, VERDICT.valid)]
  await refused(FAULT_CLASS.equivocation, validatorEquivocationProof(a, b), 'NoContradiction')
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.committed)
})

test('class 4: a chunk is shown, another is not', async () => {
  const challenge = { address: on.network.contracts.DataChallenge, abi: dataChallengeAbi } as const
  const batch = await committed(
    await on.among(...(await Promise.all(Array.from({ length: 12 }, () => on.signed())))),
  )
  const idOf = (chunk: bigint) => challengeIdOf(batch.batchId, DATA_PART.chunk, chunk)
  for (const chunk of [0n, 1n]) {
    const { gasUsed } = await hunter.send({
      ...challenge,
      functionName: 'demand',
      args: [batch.batchId, DATA_PART.chunk, chunk],
    })
    gas['4 data, demand'] = gasUsed
  }
  const { chunk, siblings } = chunkTree(batch.file).prove(1)
  const answered = await on.committer.send({
    ...challenge,
    functionName: 'show',
    args: [idOf(1n), BigInt(batch.file.length), toHex(chunk), siblings],
  })
  gas['4 data, show'] = answered.gasUsed
  await on.devnet.admin('evm_increaseTime', [PAST_RESPONSE])
  const concluded = await hunter.send({ ...challenge, functionName: 'conclude', args: [idOf(0n)] })
  gas['4 data, conclude'] = concluded.gasUsed
  for (const used of [answered.gasUsed, concluded.gasUsed]) assert.ok(used < GAS_LIMIT)
  await assertVoid(FAULT_CLASS.data, batch.batchId)
})

test('class 6: a group that claims more than its rows', async () => {
  const batch = await on.among(await on.signed(), await on.granted(80n))
  const [header, ...rest] = groupHeaders(batch)
  assert.ok(header)
  const lying = [{ ...header, sum: header.sum + 1000n }, ...rest]
  await on.commit(batch, { groups: lying })
  const { committer: by, dataHash } = batch.header
  const batchId = batchIdOf({ committer: by, height: batch.header.height, root: rootOver(lying), dataHash })
  const proof = sumFaultProof(batch, lying, batchId)
  assert.ok(proof)
  await prove('6 sum', FAULT_CLASS.sum, proof)
  await assertVoid(FAULT_CLASS.sum, batchId)
})

test('class 6: a lie about any one node below a group, also where another group is honest', async () => {
  const stranger = on.committer.address.toLowerCase() as Address
  const batch = await on.among(
    ...(await Promise.all([on.signed(), on.signed(), on.granted(81n), on.signed({ node: stranger })])),
  )
  const index = batch.groups.findIndex(({ node }) => node !== stranger)
  const group = batch.groups[index]
  assert.ok(group && batch.groups.length === 2)
  const surplus = { sum: 7n, exposure: 3n, count: 0n }
  for (const place of placesIn(group)) {
    const groups = groupHeaders(batch).with(index, headerWithLie(group, place, surplus))
    const header = { ...batch.header, height: on.nextHeight(), root: rootOver(groups) }
    await on.commit({ ...batch, header }, { groups })
    const batchId = batchIdOf(header)
    const proof = sumFaultProof(batch, groups, batchId)
    assert.ok(proof, JSON.stringify(place))
    await holds(FAULT_CLASS.sum, proof, batchId)
  }
})

test('class 7: a receipt in the row of another payer', async () => {
  const honest = await on.among(await on.signed())
  const file = parseCanonicalJson(honest.file, honest.file.length) as { rows: { payer: string }[] }
  const [row] = file.rows
  assert.ok(row)
  row.payer = `0x${'9'.repeat(40)}`
  const batch = await committed(statedBatch(canonicalJsonBytes(file as never)))
  const requestId = batch.groups[0]?.rows[0]?.receipts[0]?.receipt.requestId as Hex
  await holds(FAULT_CLASS.row, rowFaultProof('foreignRow', batch, requestId), batch.batchId)
})

test('class 7: a call that its grant does not pay for, one paid twice, one batched by a stranger', async () => {
  const call = await on.granted(1n)
  assert.ok(call.grant)
  const wrong = { ...call, grant: { ...call.grant, counter: 2n } }
  const first = await committed(await on.among(wrong))
  await holds(FAULT_CLASS.row, rowFaultProof('foreignGrant', first, wrong.receipt.requestId), first.batchId)

  const twice = await on.granted(3n)
  const [second, third] = [await committed(await on.among(twice)), await committed(await on.among(twice))]
  await prove('7 row, twice', FAULT_CLASS.row, twiceFaultProof(second, third, twice.receipt.requestId))
  await assertVoid(FAULT_CLASS.row, third.batchId)
  assert.equal(await on.stateOf(second.batchId), BATCH_STATE.committed)

  const foreign = await on.granted(4n, { committer: on.role('publisher').address.toLowerCase() as Address })
  const fourth = await committed(await on.among(foreign))
  const early = rowFaultProof('stranger', fourth, foreign.receipt.requestId)
  await holds(FAULT_CLASS.row, early, fourth.batchId)
})

test('class 7: a price above its row, and that honest receipts are none of it', async () => {
  const dear = await on.signed({ price: PRICE.perCall + PRICE.outputPrice + 1n })
  const unpriced = await on.signed({ modelId: toHex('nobody published it', { size: 32 }), price: 1n })
  const batch = await committed(await on.among(dear, unpriced))
  const proof = rowFaultProof('overcharge', batch, unpriced.receipt.requestId)
  await holds(FAULT_CLASS.row, proof, batch.batchId)
  await prove(
    '7 row, overcharge',
    FAULT_CLASS.row,
    rowFaultProof('overcharge', batch, dear.receipt.requestId),
  )
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.void)

  const [honest, call] = [await on.signed(), await on.granted(7n)]
  const good = await committed(await on.among(honest, call))
  for (const { receipt } of [honest, call]) {
    for (const kind of ['foreignRow', 'foreignGrant', 'stranger', 'overcharge'] as const) {
      await refused(FAULT_CLASS.row, rowFaultProof(kind, good, receipt.requestId), 'RowHolds')
    }
  }
  assert.equal(await on.stateOf(good.batchId), BATCH_STATE.committed)
})
