import assert from 'node:assert/strict'
import { developmentAccount, publicClientOf, readHolderStake, type Sender } from '@assay/chain'
import { type Batch, FAULT_CLASS, formatOpg, type Network, validatorStakingAbi } from '@assay/protocol'
import { type Address, type Hex, parseEther } from 'viem'
import { outfit } from '../../../faults/operators.ts'
import { PAYMENT, paymentOf } from '../../../faults/payments.ts'
import { attestFalsely } from '../attestFalsely.ts'
import { justiceOn } from '../justice.ts'
import { CAST, createPlayer } from '../liar.ts'
import type { Scene } from '../scene.ts'
import { billFor, pay, receiptFor } from '../stage.ts'

const SELF = parseEther('300')
const DELEGATED = parseEther('300')
const LEAVING = parseEther('150')
/** The others may void a batch before the false witness has spoken; then it tries the next. */
const TRIES = 4

/** A validator that calls a false batch valid, with a delegator behind it and somebody on the way out. */
export const falseWitness: Scene = {
  name: 'false-witness',
  title: 'A validator attests a false batch',
  async play(stage) {
    const { network, tell } = stage
    const liar = await createPlayer(stage, CAST.accomplice)
    const { witness, delegator, leaver } = await stakeAll(network)
    const holders = [witness.address, delegator.address, leaver.address] as const
    tell(
      `A validator has ${formatOpg(SELF)} of its own; a delegator stands behind it with ${formatOpg(DELEGATED)}, another with ${formatOpg(LEAVING)}.`,
    )
    const honestBefore = await stakes(network)
    const bill = await billFor(stage)
    const rogue = developmentAccount(CAST.falseWitness)
    const key = rogue.address.toLowerCase() as Address
    const by = { node: liar.address, key, secret: rogue.privateKey, gateway: liar }
    let attested: { batch: Batch; requestId: Hex; value: bigint } | undefined
    const requests: Hex[] = []
    for (let at = 1; attested === undefined && at <= TRIES; at++) {
      const paid = await pay(stage, liar, bill)
      requests.push(paid.requestId)
      const batch = liar.build([await receiptFor(stage, by, { ...paid, bill, seq: BigInt(at) })])
      liar.publish(batch.batchId, batch.file)
      const hash = await liar.commit(batch)
      if (await attestFalsely(network, batch, witness, CAST.falseWitness)) {
        attested = { batch, ...paid }
        tell(
          `Its accomplice commits a receipt of a key that nobody registered (${hash}), and it signs: valid.`,
        )
      }
    }
    assert.ok(attested, 'the false witness spoke in time')
    const staking = { address: network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
    const before = await held(network, witness.address, holders)
    await leaver.send({
      ...staking,
      functionName: 'undelegate',
      args: [witness.address, before[2]?.shares],
    })
    tell(
      'One of its delegators sees it and leaves at once. It is too late: who stood behind it then answers for it.',
    )
    const justice = await justiceOn(network, attested.batch.batchId)
    assert.equal(justice.fault.faultClass, FAULT_CLASS.tee)
    assert.deepEqual(
      justice.fault.validators.map(({ validator }) => validator),
      [witness.address],
    )
    assert.deepEqual(await paymentOf(network, attested.requestId), {
      state: PAYMENT.refunded,
      amount: attested.value,
    })
    const after = await held(network, witness.address, holders)
    const [own, theirs, left] = before.map(({ worth }, at) => worth - (after[at] as Held).worth) as [
      bigint,
      bigint,
      bigint,
    ]
    tell(
      `It loses ${formatOpg(own)}, its delegator ${formatOpg(theirs)}, the one who left ${formatOpg(left)}.`,
    )
    // In proportion to what they held, whether they stayed or left; rounding is a unit or two.
    const skew = theirs * LEAVING - left * DELEGATED
    assert.ok(
      (skew < 0n ? -skew : skew) <= 4n * DELEGATED,
      `${theirs} of ${DELEGATED}, ${left} of ${LEAVING}`,
    )
    assert.ok(theirs > 0n && own * DELEGATED > theirs * SELF, 'its own bond pays a part of it first')
    assert.deepEqual(await stakes(network), honestBefore, 'the honest validators lose nothing')
    return { justice, requests }
  },
}

async function stakeAll(network: Network): Promise<{ witness: Sender; delegator: Sender; leaver: Sender }> {
  const staking = { address: network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  const [witness, delegator, leaver] = await Promise.all([
    outfit(network, CAST.falseWitness, SELF, [staking.address]),
    outfit(network, CAST.delegator, DELEGATED, [staking.address]),
    outfit(network, CAST.leaver, LEAVING, [staking.address]),
  ])
  await witness.send({ ...staking, functionName: 'register', args: ['http://127.0.0.1:9', SELF] })
  await Promise.all([
    delegator.send({ ...staking, functionName: 'delegate', args: [witness.address, DELEGATED, 0n] }),
    leaver.send({ ...staking, functionName: 'delegate', args: [witness.address, LEAVING, 0n] }),
  ])
  return { witness, delegator, leaver }
}

type Held = { shares: bigint; worth: bigint }

/** What holders have at a validator, staying and leaving, OPG base units. */
function held(network: Network, validator: Address, holders: readonly Address[]): Promise<Held[]> {
  const client = publicClientOf(network)
  return Promise.all(
    holders.map(async (holder) => {
      const { stake, shares, exits } = await readHolderStake(client, network, validator, holder)
      return { shares, worth: exits.reduce((total, { amount }) => total + amount, stake) }
    }),
  )
}

function stakes(network: Network): Promise<bigint[]> {
  const client = publicClientOf(network)
  return Promise.all(
    network.validators.map(({ operator }) =>
      client.readContract({
        address: network.contracts.ValidatorStaking,
        abi: validatorStakingAbi,
        functionName: 'stakeOf',
        args: [operator],
      }),
    ),
  )
}
