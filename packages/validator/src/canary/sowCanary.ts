import { pollLoop, readCanary, type Sender } from '@assay/chain'
import {
  AssayError,
  type Batch,
  batchEntries,
  CANARY_STATE,
  canaryCommitment,
  FAULT_CLASS,
  groupHeaders,
  type Network,
  opgAbi,
  paramStoreAbi,
  settlementAbi,
  statedBatch,
  teeFaultProof,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { type Address, type Hex, type PublicClient, stringToHex, zeroAddress, zeroHash } from 'viem'
import { canaryCalls, canaryChain } from '../faults/canaryChain.ts'
import { freshSalt } from '../faults/faultJobs.ts'
import { wouldSucceed } from '../wouldSucceed.ts'
import { designCanary } from './designCanary.ts'

/** What a sower must keep: without the salt its canary is a plain fault. */
export type Canary = { batchId: Hex; salt: Hex; height: bigint; file: Uint8Array }

export type SowContext = { client: PublicClient; network: Network; sender: Sender }

/** Designs a canary of the sender's next height. Write it down before anything else is done with it. */
export async function newCanary({ client, network, sender }: SowContext): Promise<Canary> {
  const { batchId, header, file } = await designCanary(client, network, sender.address)
  return { batchId, salt: freshSalt(), height: header.height, file }
}

/**
 * Sows a canary and commits its batch, whose file must be to be had at the till's address from now on.
 * @returns transaction of the commit
 * @throws AssayError `conflict` where something of the sower's is sown already
 */
export async function sowAndCommit(canary: Canary, context: SowContext): Promise<Hex> {
  const { client, network, sender } = context
  const chain = canaryChain(client, network)
  const [commitment] = await chain.sownBy(sender.address)
  const own = canaryCommitment(sender.address, canary.batchId, canary.salt)
  if (commitment !== zeroHash && commitment !== own) {
    throw new AssayError('This committer has sown another canary already; one at a time.', {
      code: 'conflict',
      facts: { sower: sender.address, commitment },
      next: 'Reveal it, or take it back.',
    })
  }
  if (commitment === zeroHash) {
    await allowDeposit(context)
    await sender.send(canaryCalls(network).sow(own))
  }
  const [, sownAt] = await chain.sownBy(sender.address)
  // In the second of its sowing a batch cannot be a canary.
  await until(async () => (await client.getBlock()).timestamp > sownAt)
  const batch = batchOf(canary)
  const { transactionHash } = await sender.send({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'commit',
    args: [canary.height, batch.header.dataHash, groupHeaders(batch)],
  })
  return transactionHash
}

/**
 * Waits until a canary should be shown: somebody has flagged it, it was called valid and half the challenge window is over,
 * or two thirds of the time in which it may be shown at all.
 */
export async function dueToReveal({ batchId }: Canary, { client, network }: SowContext): Promise<void> {
  const chain = canaryChain(client, network)
  const windowKey = stringToHex('CHALLENGE_WINDOW', { size: 32 })
  const [revealBy, window] = await Promise.all([
    chain.revealBy(batchId),
    client.readContract({
      address: network.contracts.ParamStore,
      abi: paramStoreAbi,
      functionName: 'get',
      args: [windowKey],
    }),
  ])
  await until(async () => {
    const [batch, { timestamp }, { flagger }] = await Promise.all([
      batchAt(client, network, batchId),
      client.getBlock(),
      chain.stance(batchId),
    ])
    if (flagger !== zeroAddress || batch.state >= BATCH_STATE.final) return true
    if (batch.quorumAt !== 0n && timestamp >= batch.quorumAt + window / 2n) return true
    return timestamp >= batch.committedAt + ((revealBy - batch.committedAt) * 2n) / 3n
  })
}

/** Whether the canary's batch is on chain: whoever sowed it may have been interrupted before. */
export async function isCommitted({ batchId }: Canary, { client, network }: SowContext): Promise<boolean> {
  const { state } = await batchAt(client, network, batchId)
  return state !== BATCH_STATE.none
}

/** Takes back what was sown for a canary whose batch was never committed. @returns OPG base units, 0 where nothing was */
export async function takeSeedBack(canary: Canary, { client, network, sender }: SowContext): Promise<bigint> {
  const [commitment, , deposit, reward] = await canaryChain(client, network).sownBy(sender.address)
  if (commitment !== canaryCommitment(sender.address, canary.batchId, canary.salt)) return 0n
  await sender.send(canaryCalls(network).withdrawSeed())
  return deposit + reward
}

/** Shows what it was, unless it was shown already. @returns the transaction. @throws AssayError `conflict` where it is too late */
export async function revealCanary(canary: Canary, { client, network, sender }: SowContext): Promise<Hex> {
  const { committedBlock } = await batchAt(client, network, canary.batchId)
  const shown = await readCanary(client, network, { batchId: canary.batchId, committedBlock })
  if (shown !== null) return shown.transactionHash
  const batch = batchOf(canary)
  const [entry] = batchEntries(batch)
  if (entry === undefined) throw new Error('a canary holds a receipt')
  const proof = teeFaultProof(batch, entry)
  const call = canaryCalls(network).reveal(canary.batchId, canary.salt, FAULT_CLASS.tee, proof)
  return (await sender.send(call)).transactionHash
}

/** Waits until the deposit of a canary that was shown goes back, and takes it out. @returns OPG base units */
export async function closeCanary({ batchId }: Canary, context: SowContext): Promise<bigint> {
  const { client, network, sender } = context
  const [chain, calls] = [canaryChain(client, network), canaryCalls(network)]
  let { state } = await chain.canary(batchId)
  await until(async () => {
    state = (await chain.canary(batchId)).state
    return state !== CANARY_STATE.revealed || wouldSucceed(client, calls.close(batchId), sender.address)
  })
  if (state === CANARY_STATE.revealed) await sender.send(calls.close(batchId))
  const credit = await chain.reward(sender.address)
  if (credit > 0n) await sender.send(calls.withdrawReward())
  return credit
}

async function allowDeposit({ client, network, sender }: SowContext): Promise<void> {
  const { OPG, CanaryRegistry, ParamStore } = network.contracts
  const value = (name: string) =>
    client.readContract({
      address: ParamStore,
      abi: paramStoreAbi,
      functionName: 'get',
      args: [stringToHex(name, { size: 32 })],
    })
  const needed = (await value('CANARY_DEPOSIT')) + (await value('CANARY_REWARD'))
  const token = { address: OPG, abi: opgAbi } as const
  const args = [sender.address as Address, CanaryRegistry] as const
  const allowed = await client.readContract({ ...token, functionName: 'allowance', args })
  if (allowed < needed) {
    await sender.send({ ...token, functionName: 'approve', args: [CanaryRegistry, needed] })
  }
}

function batchAt(client: PublicClient, { contracts }: Network, batchId: Hex) {
  const settlement = { address: contracts.Settlement, abi: settlementAbi } as const
  return client.readContract({ ...settlement, functionName: 'batch', args: [batchId] })
}

function batchOf({ batchId, height, file }: Canary): Batch {
  const stated = statedBatch(file)
  return { ...stated, batchId, header: { ...stated.header, height } }
}

const POLL_MS = 500

/** Asks again and again; a chain that does not answer is asked again too. */
function until(holds: () => Promise<boolean>): Promise<void> {
  return new Promise((resolve) => {
    const loop = pollLoop({
      interval: POLL_MS,
      round: async () => {
        if (!(await holds())) return
        void loop.stop()
        resolve()
      },
      onError: () => {},
    })
  })
}
