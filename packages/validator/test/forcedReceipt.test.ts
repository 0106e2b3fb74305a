/** What was forced in has no file to fetch: validators judge the receipt in the event, as they would judge any other. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type BatchEntry,
  batchIdOf,
  contractEntry,
  rootOfSingle,
  VERDICT,
  validatorStakingAbi,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Hex, parseEther, toHex, zeroHash } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { ROGUE } from '../../../test/faults/faultChain.ts'
import { type FaultNetwork, startFaultNetwork, type Watching } from './support/faultNetwork.ts'

let on: FaultNetwork
let watching: Watching[]
before(async () => {
  // What was earned reaches the validators within the test by these terms only.
  on = await startFaultNetwork({ terms: 'development' })
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

test('a receipt of a key that nobody registered is void', async () => {
  const rogue = privateKeyToAccount(ROGUE).address.toLowerCase() as `0x${string}`
  const batchId = await force(await on.signed({ key: rogue, ...(await overdue()) }, ROGUE))
  for (const { verdict } of await judged(batchId)) assert.equal(verdict, VERDICT.invalid)
  await becomes(batchId, BATCH_STATE.void)
})

test('a call under a grant is forced in by nobody, for its payer signed for no call, and its gateway not for this one', async () => {
  const grant = { id: toHex('grant', { size: 32 }), counter: 7n }
  const call = { ...(await on.signed(await overdue())), grant }
  await assert.rejects(
    force(call),
    ({ facts }: { facts: { error: string } }) => facts.error === 'PaidByGrant',
  )
})
