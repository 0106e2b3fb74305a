/**
 * False witness against the honest on a chain of its own, some hundreds of times; `npm run test:attempts` does it ten
 * thousand times. The generator must be able to succeed: pointed at the guilty it convicts each of them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FAULT_CLASS, faultManagerAbi } from '@assay/protocol'
import { type Attacker, announceAll, createAttackers, proveCall, proveForReal } from './attempts/attackers.ts'
import { simulate } from './attempts/calls.ts'
import { attack, convict } from './attempts/campaign.ts'
import { createGuilty } from './attempts/guilty.ts'
import { createHonest, type Honest } from './attempts/honest.ts'
import { differences, type Ledger, ledgerOf } from './attempts/ledger.ts'
import { summaryOf } from './attempts/summary.ts'
import { createWorld, hurry, type Target, type World } from './attempts/world.ts'
import { temporaryFolder } from './temporaryFolder.ts'

const ATTEMPTS = Number(process.env.ASSAY_ATTEMPTS ?? '300')
const SEED = Number(process.env.ASSAY_ATTEMPTS_SEED ?? '1')

let world: World
let guilty: Target[]
let honest: Honest
let ledger: Ledger

before(async () => {
  world = await createWorld(temporaryFolder('attempts'))
  guilty = await hurry(world, () => createGuilty(world))
  honest = await hurry(world, () => createHonest(world))
  ledger = await ledgerOf(world, honest)
})
after(() => world?.close())

const assertUntouched = async () => assert.deepEqual(differences(ledger, await ledgerOf(world, honest)), [])

test(`of ${ATTEMPTS} false proofs, claims and calls against the honest none goes through, and they keep every unit`, async () => {
  const began = Date.now()
  const report = await attack(world, honest, { attempts: ATTEMPTS, seed: SEED })
  console.log(summaryOf(report, SEED, Date.now() - began))
  assert.deepEqual(report.convictions, [])
  assert.ok(report.attempts >= ATTEMPTS)
  await assertUntouched()
})

test('the same generator convicts whoever is guilty, of every class; a copied proof earns nothing; the honest keep every unit', async () => {
  const [hunter, copier] = (await createAttackers(world)) as [Attacker, Attacker]
  const found = await Promise.all(guilty.map((target) => convict(world, target, SEED)))
  for (const [at, { tries }] of found.entries()) console.log(`${guilty[at]?.name}: convicted at try ${tries}`)
  const proofs = found.map(({ accusation }) => accusation)
  const classes = new Set(proofs.map(({ faultClass }) => faultClass))
  const { tee, equivocation, data, sum, row } = FAULT_CLASS
  assert.deepEqual([...classes].sort(), [tee, equivocation, data, sum, row].sort())

  // Whoever sees a proof in the hunter's transaction has announced nothing, and with little gas nothing is proven.
  const announced = proofs.filter(({ faultClass }) => faultClass !== data)
  await announceAll(world, hunter, announced)
  const copied = await simulate(
    world.rpcUrl,
    announced.map((one) => proveCall(world, copier.address, one)),
  )
  for (const { refused } of copied) assert.equal(refused, 'NotAnnounced')
  const starved = await simulate(
    world.rpcUrl,
    proofs.map((one) => proveCall(world, hunter.address, one, 400_000n)),
  )
  for (const { refused } of starved) assert.notEqual(refused, undefined)
  const carriedOut = await Promise.all(announced.map((one) => proveForReal(world, hunter.sender, one)))
  for (const refused of carriedOut) assert.equal(refused, undefined)
  await assertUntouched()
  const proven = await world.client.getContractEvents({
    address: world.contracts.FaultManager,
    abi: faultManagerAbi,
    eventName: 'FaultProven',
    args: { prover: hunter.address },
    fromBlock: 0n,
  })
  assert.equal(proven.length, announced.length)
})
