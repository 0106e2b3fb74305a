/** What was forced in has no file to fetch: validators judge the receipt in the event, as they would judge any other. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createSender } from '@assay/chain'
import {
  type BatchEntry,
  batchIdOf,
  contractEntry,
  grantIdOf,
  grantRequestId,
  opgAbi,
  rootOfSingle,
  spendingGrantsAbi,
  VERDICT,
  validatorStakingAbi,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Address, type Hex, parseEther, toHex, zeroHash } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type FaultNetwork, ROGUE, startFaultNetwork, type Watching } from './support/faultNetwork.ts'

let on: FaultNetwork
let watching: Watching[]
before(async () => {
  on = await startFaultNetwork()
  // Two of three are a quorum.
  watching = await Promise.all([on.watch(0), on.watch(1)])
})
after(async () => {
  await Promise.all(watching.map((validator) => validator.close()))
  await on.close()
})

let height = 0n
/** Anybody may: here a stranger to the receipt, without a bond. */
async function force(entry: BatchEntry): Promise<Hex> {
  const stranger = on.bank
  await stranger.send({
    ...on.settlement,
    functionName: 'force',
    args: [++height, contractEntry(entry), entry.signature],
  })
  return batchIdOf({ committer: stranger.address, height, root: rootOfSingle(entry), dataHash: zeroHash })
}

/** A receipt whose gateway has let its time pass. */
async function overdue(): Promise<{ includeBy: bigint }> {
  return { includeBy: (await on.client.getBlock()).timestamp - 1n }
}

function judged(batchId: Hex): Promise<Record<string, unknown>[]> {
  return Promise.all(watching.map(({ said }) => said('judged', (facts) => facts.batchId === batchId)))
}

/** Waits for what becomes of a batch: by voices or, sooner, by a proof. */
function becomes(batchId: Hex, state: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = async () => {
      if ((await on.stateOf(batchId)) !== state) return
      stop()
      resolve()
    }
    const stop = on.client.watchBlockNumber({ onBlockNumber: () => look().catch(reject), onError: reject })
  })
}

test('an honest receipt that somebody forced in is found valid, and its money moves', async () => {
  const requestId = await on.paid(parseEther('30'))
  const dear = { outputUnits: 20n, price: parseEther('21') }
  const entry = await on.signed({ requestId, ...dear, ...(await overdue()) })
  const batchId = await force(entry)
  for (const { verdict } of await judged(batchId)) assert.equal(verdict, VERDICT.valid)
  const final = watching.map(({ said }) => said('finalise', ({ subject }) => subject === batchId))
  await Promise.race(final)
  assert.equal(await on.stateOf(batchId), BATCH_STATE.final)
  const path = { leafSiblings: [], rowSiblings: [], groupSiblings: [] }
  await on.node.send({
    ...on.escrow,
    functionName: 'settle',
    args: [[{ batchId, entry: contractEntry(entry), path }]],
  })
  const [, , , paid] = await on.client.readContract({
    ...on.escrow,
    functionName: 'payment',
    args: [requestId],
  })
  assert.equal(paid, entry.receipt.price)
  // The validators' own part is handed to staking by one of them.
  await Promise.race(watching.map(({ said }) => said('payValidators')))
  const rewards = await on.client.getContractEvents({
    address: on.network.contracts.ValidatorStaking,
    abi: validatorStakingAbi,
    eventName: 'RewardAdded',
    fromBlock: 0n,
    strict: true,
  })
  assert.deepEqual(
    rewards.map(({ args }) => args.amount),
    [parseEther('2.1')],
  )
})

test('a receipt of a key that nobody registered, and one under a grant that does not pay for it, are void', async () => {
  const rogue = privateKeyToAccount(ROGUE).address.toLowerCase() as `0x${string}`
  const unknown = await on.signed({ key: rogue, ...(await overdue()) }, ROGUE)
  const stolen = {
    ...(await on.signed(await overdue())),
    grant: { id: toHex('grant', { size: 32 }), counter: 7n },
  }
  for (const entry of [unknown, stolen]) {
    const batchId = await force(entry)
    for (const { verdict } of await judged(batchId)) assert.equal(verdict, VERDICT.invalid)
    await becomes(batchId, BATCH_STATE.void)
  }
})

/** Opens a grant of the demo account on chain. @returns makes its calls */
async function openGrant(): Promise<(counter: bigint) => Promise<BatchEntry>> {
  const payer = createSender({ network: on.network, privateKey: on.role('demo').privateKey })
  const { OPG, SpendingGrants, InferenceEscrow } = on.network.contracts
  const amount = parseEther('10')
  const { timestamp } = await on.client.getBlock()
  const grant = {
    payer: payer.address.toLowerCase() as Address,
    gateway: on.committer.address.toLowerCase() as Address,
    maxTotal: amount,
    maxPerCall: amount,
    ratePerHour: 0n,
    models: [],
    nodes: [],
    expiry: timestamp + 3_600n,
    nonce: 1n,
  }
  await payer.send({ address: OPG, abi: opgAbi, functionName: 'approve', args: [SpendingGrants, amount] })
  const open = { address: SpendingGrants, abi: spendingGrantsAbi, functionName: 'open' } as const
  await payer.send({ ...open, args: [grant, '0x', amount] })
  const id = grantIdOf(grant, on.deployment)
  return async (counter) => {
    const call = { id, counter }
    const { chainId } = on.deployment
    const requestId = grantRequestId({ chainId, escrow: InferenceEscrow, payer: grant.payer, grant: call })
    return { ...(await on.signed({ requestId, ...(await overdue()) })), grant: call }
  }
}

test('a call under a grant that stands in a batch already is not paid once more by force', async () => {
  const granted = await openGrant()
  const call = await granted(1n)
  const first = await on.commit(await on.among(call))
  for (const { verdict } of await judged(first)) assert.equal(verdict, VERDICT.valid)
  const again = await force(call)
  for (const { verdict, reason } of await judged(again)) {
    assert.equal(verdict, VERDICT.invalid)
    assert.match(String(reason), /stands in batch/)
  }
  await becomes(again, BATCH_STATE.void)
  assert.notEqual(await on.stateOf(first), BATCH_STATE.void)

  const other = await force(await granted(2n))
  for (const { verdict } of await judged(other)) assert.equal(verdict, VERDICT.valid)
})
