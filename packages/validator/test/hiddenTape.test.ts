/**
 * A proof that is refused, and a root beside it under which there is no tape of its check: no step of it can be shown. The
 * tape is demanded, and whoever cannot show it is slashed as with data withheld; whoever shows another is convicted by that.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Batch,
  type BatchEntry,
  batchEntries,
  challengeIdOf,
  DATA_PART,
  dataChallengeAbi,
  FAULT_CLASS,
  faultIdOf,
  manifestUri,
  modelIdOf,
  proveTapeAt,
} from '@assay/protocol'
import { BATCH_STATE, falseInference, recordTape, tapeParts } from '@assay/verify'
import { keccak256, toHex } from 'viem'
import { BOND } from '../../../test/faults/faultChain.ts'
import { bondOf } from '../../../test/faults/operators.ts'
import { paymentScorer } from '../../../test/scoredPayment.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

/** Seconds past DATA_RESPONSE of an unhurried chain. */
const PAST_RESPONSE = 1800 + 5

const { score, manifest, weightsHash } = paymentScorer()
const modelId = modelIdOf(manifest)

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
  await on.publish(modelId, manifestUri(manifest), weightsHash)
})
after(() => on.close())

/** A receipt of mode zk with its proof; `lie` is added to the first number of the answer, which the proof does not know of. */
async function scored(which: number, lie = 0): Promise<BatchEntry> {
  const { receipt, zk } = score(which, lie)
  return { ...(await on.signed({ ...receipt, modelId })), zk }
}

function withTape(entry: BatchEntry, tape = keccak256(toHex('noise'))): BatchEntry {
  assert.ok(entry.zk)
  return { ...entry, zk: { ...entry.zk, tape } }
}

const placeIn = (batch: Batch, { receipt }: BatchEntry) =>
  batchEntries(batch).findIndex((entry) => entry.receipt.requestId === receipt.requestId)

test('what can be shown of a proof that is refused, and what must be demanded', async () => {
  const [honest, shifted] = [await scored(0), await scored(1, 1)]
  assert.equal(falseInference(honest, weightsHash), undefined)
  assert.equal(typeof falseInference(shifted, weightsHash), 'object')
  for (const hidden of [
    withTape(honest),
    withTape(shifted),
    { ...honest, zk: undefined },
    { ...shifted, zk: { ...score(1, 1).zk, card: new Uint8Array(8) } },
  ]) {
    assert.equal(falseInference(hidden as BatchEntry, weightsHash), 'hidden')
  }
  assert.equal(falseInference(shifted, keccak256('0x')), 'hidden')
})

test('class 4: noise where a tape’s root should stand costs its committer and who called it valid', async () => {
  const lie = withTape(await scored(2, 1))
  const bribed = on.validators[2]
  assert.ok(bribed)
  const batchId = await on.commit(await on.among(lie, await scored(3)))
  await on.attestFalsely(batchId, 2)
  const watching = await on.watch(0)
  const faultId = faultIdOf(FAULT_CLASS.data, batchId)
  const of = (facts: Record<string, unknown>) => facts.faultId === faultId
  await watching.said('fault demanded', of)
  await on.devnet.admin('evm_increaseTime', [PAST_RESPONSE])
  const punished = await watching.said('attesters punished', of)
  assert.deepEqual(punished.validators, [bribed.address])
  await watching.said('fault collected', of)
  await watching.close()
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  const [shares, ...more] = await on.proceedsOf(faultId)
  assert.deepEqual([shares?.prover, more], [watching.operator, []])
  // A twentieth of two bonds, less what another fault of this committer has taken before: here keys are bonded ones.
  const taken = (shares?.bounty ?? 0n) + (shares?.insured ?? 0n) + (shares?.burned ?? 0n)
  assert.ok(taken > 0n && taken <= BOND / 10n, `${taken}`)
})

test('class 4, then 2: a tape that is shown, but is not that of the proof, convicts whoever stated its root', async () => {
  const lie = await scored(4, 1)
  // Of an honest check, of another payment: there is a tape under the root, and it is true but for the statement.
  const other = recordTape(await scored(5))
  assert.ok(other)
  const batch = await on.among(withTape(lie, other.root))
  const place = placeIn(batch, lie)
  const watching = await on.watch(0)
  const batchId = await on.commit(batch)
  const ofClass = (faultClass: number) => (facts: Record<string, unknown>) =>
    facts.faultId === faultIdOf(faultClass, batchId)
  await watching.said('fault demanded', ofClass(FAULT_CLASS.data))

  const challenges = { address: on.network.contracts.DataChallenge, abi: dataChallengeAbi } as const
  const challengeId = challengeIdOf(batchId, DATA_PART.tape, BigInt(place))
  const stated = proveTapeAt(batch, place, other.circuit)
  const { gasUsed } = await on.committer.send({
    ...challenges,
    functionName: 'showTapeRoot',
    args: [challengeId, stated],
  })
  const shown = await Promise.all(
    tapeParts(other).map((run, part) =>
      on.committer.send({
        ...challenges,
        functionName: 'showTape',
        args: [challengeId, BigInt(part), run],
        gas: 1_000_000n,
      }),
    ),
  )
  const whole = shown.reduce((sum, part) => sum + part.gasUsed, gasUsed)
  console.log(`gas 4 data, a tape of ${other.circuit.gates} words in ${shown.length} parts: ${whole}`)
  for (const part of shown) assert.ok(part.gasUsed < 700_000n, `${part.gasUsed}`)

  await watching.said('fault answered', ofClass(FAULT_CLASS.data))
  await watching.said('fault collected', ofClass(FAULT_CLASS.zk))
  await watching.close()
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  assert.ok((await bondOf(on.network, on.committer.address)) < BOND)
})
