/** Voices that are delivered together: who sends, what it takes in, and that nobody's voice depends on another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attestationDigest, CONTRACT_NAMES, type Contracts, signDigest, VERDICT } from '@assay/protocol'
import { BATCH_STATE, type BatchView } from '@assay/verify'
import { type Address, type Hex, keccak256, zeroAddress, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { deliverVoice } from '../src/deliverVoice.ts'
import { type ValidatorCall, validatorCalls } from '../src/validatorChain.ts'
import { VOICE_PATH, type Voices, voicesOf } from '../src/voices.ts'

const deployment = { chainId: 31337, settlement: zeroAddress, deploymentId: zeroHash }
const nowhere: Address = zeroAddress
const contracts = Object.fromEntries(CONTRACT_NAMES.map((name) => [name, nowhere])) as Contracts
const calls = validatorCalls({ contracts })
const batch: BatchView = {
  batchId: keccak256('0x01'),
  committer: zeroAddress,
  height: 1n,
  root: zeroHash,
  dataHash: zeroHash,
  sum: 0n,
  exposure: 0n,
  count: 1n,
  committedAt: 1n,
  committedBlock: 100n,
  quorumAt: 0n,
  finalisedAt: 0n,
  state: BATCH_STATE.committed,
}
const statement = { batchId: batch.batchId, root: batch.root, registryBlock: 100n, dataAvailable: true }
const digestOf = (verdict: number) => attestationDigest({ ...statement, verdict }, deployment)
const NOW = 1_000n

type Validator = {
  operator: Address
  key: Hex
  voices: Voices
  sent: ValidatorCall[]
  speak(now?: bigint): Promise<void>
}

/** A network in memory, whose validators come in the order of their turns at the batch. */
function network(count: number, changes: { counted?: Address[]; refusesMany?: boolean } = {}): Validator[] {
  const keys = Array.from({ length: count }, generatePrivateKey)
  const peers = keys.map((key, at) => ({
    operator: privateKeyToAddress(key),
    url: `http://peer${at}.example/`,
  }))
  const all: Validator[] = keys.map((key, at) => {
    const { operator } = peers[at] as (typeof peers)[number]
    const sent: ValidatorCall[] = []
    const turns = new Map<string, bigint>()
    const voices = voicesOf({
      operator,
      validators: peers,
      fetch: async (url) => {
        const { host, pathname } = new URL(url)
        const answer = all[Number(/\d+/.exec(host)?.[0])]?.voices.answer(pathname)
        if (answer === undefined) throw new Error('404')
        return new TextEncoder().encode(answer)
      },
    })
    const context = {
      operator,
      voices,
      calls,
      turns,
      log: () => {},
      chain: {
        hasAttested: async (_: Hex, who: Address) =>
          (changes.counted ?? []).some((one) => one.toLowerCase() === who),
        wouldSucceed: async () => !changes.refusesMany,
      },
      send: async (call: ValidatorCall) => {
        sent.push(call)
      },
    }
    const speak = async (now = NOW, verdict: number = VERDICT.valid) => {
      const digest = digestOf(verdict)
      await deliverVoice(batch, { verdict, digest, signature: await signDigest(digest, key) }, now, context)
    }
    return { operator, key, voices, sent, speak }
  })
  return [...all].sort((a, b) => Number(a.voices.placeAt(batch.batchId) - b.voices.placeAt(batch.batchId)))
}

/** Who signed the only transaction that a validator sent, ascending. */
function signersOf({ sent }: Validator, signatures: ReadonlyMap<Hex, Address>): Address[] {
  assert.equal(sent.length, 1)
  const [call] = sent
  assert.ok(call?.functionName === 'attest')
  const signers = call.args[4].map((signature) => signatures.get(signature) as Address)
  assert.deepEqual(signers, [...signers].sort())
  return signers
}

async function signaturesOf(all: readonly Validator[]): Promise<Map<Hex, Address>> {
  const signed = all.map(
    async ({ key, operator }): Promise<[Hex, Address]> => [
      await signDigest(digestOf(VERDICT.valid), key),
      operator.toLowerCase() as Address,
    ],
  )
  return new Map(await Promise.all(signed))
}

test('the first in turn waits for all and delivers them in one transaction; the others send nothing', async () => {
  const all = network(3)
  const [first, second, third] = all as [Validator, Validator, Validator]
  await first.speak()
  await second.speak()
  assert.deepEqual([first.sent, second.sent], [[], []])
  await third.speak()
  await first.speak()
  assert.equal(signersOf(first, await signaturesOf(all)).length, 3)
  assert.deepEqual([second.sent, third.sent], [[], []])
})

test('each batch begins with another validator, and all agree on the order', () => {
  const all = network(3)
  for (let at = 0; at < 16; at++) {
    const places = all.map(({ voices }) => voices.placeAt(keccak256(`0x${at.toString(16).padStart(2, '0')}`)))
    assert.deepEqual([...places].sort(), [0n, 1n, 2n])
  }
})

test('who is not heard by its turn delivers itself, with whoever is missing still', async () => {
  const all = network(3)
  const [first, second, third] = all as [Validator, Validator, Validator]
  await second.speak()
  await third.speak()
  await second.speak(NOW + 5n)
  assert.deepEqual(second.sent, [])
  await second.speak(NOW + 6n)
  assert.equal(signersOf(second, await signaturesOf(all)).length, 2)
  assert.deepEqual([first.sent, third.sent], [[], []])
})

test('the first waits four seconds for a silent peer and no longer', async () => {
  const all = network(3)
  const [first, second] = all as [Validator, Validator]
  await second.speak()
  await first.speak()
  await first.speak(NOW + 3n)
  assert.deepEqual(first.sent, [])
  await first.speak(NOW + 4n)
  assert.equal(signersOf(first, await signaturesOf(all)).length, 2)
})

test('a voice that the chain has is not sent again', async () => {
  const counted: Address[] = []
  const all = network(3, { counted })
  const [first, second, third] = all as [Validator, Validator, Validator]
  counted.push(second.operator)
  await second.speak()
  await third.speak()
  await first.speak()
  const signers = signersOf(first, await signaturesOf(all))
  assert.ok(!signers.includes(second.operator.toLowerCase() as Address))
  assert.equal(signers.length, 2)
})

test('where the contract would refuse them together, a validator delivers its own', async () => {
  const all = network(2, { refusesMany: true })
  const [first, second] = all as [Validator, Validator]
  await second.speak()
  await first.speak()
  assert.deepEqual(signersOf(first, await signaturesOf(all)), [first.operator.toLowerCase()])
})

test("another verdict, another's signature and garbage are no voices", async () => {
  const [liar, honest] = network(2) as [Validator, Validator]
  const { batchId } = batch
  const digest = digestOf(VERDICT.valid)
  const gather = () => honest.voices.gather(batchId, VERDICT.valid, digest)
  const said = [
    { verdict: VERDICT.invalid, signature: await signDigest(digestOf(VERDICT.invalid), liar.key) },
    { verdict: VERDICT.valid, signature: await signDigest(digest, honest.key) },
    { verdict: VERDICT.valid, signature: await signDigest(digestOf(VERDICT.invalid), liar.key) },
    { verdict: VERDICT.valid, signature: '0x00' as Hex },
    { verdict: VERDICT.valid, signature: `0x${'ff'.repeat(65)}` as Hex },
  ]
  for (const voice of said) {
    liar.voices.hold(batchId, voice)
    assert.deepEqual(await gather(), [])
  }
  liar.voices.hold(batchId, { verdict: VERDICT.valid, signature: await signDigest(digest, liar.key) })
  assert.equal((await gather()).length, 1)
})

test('voices of the last thousand batches are kept, and no path says more', () => {
  const [one] = network(1) as [Validator]
  const idOf = (at: number): Hex => keccak256(`0x${at.toString(16).padStart(4, '0')}`)
  for (let at = 0; at < 1025; at++) one.voices.hold(idOf(at), { verdict: 1, signature: '0x01' })
  assert.equal(one.voices.answer(`${VOICE_PATH}${idOf(0)}`), undefined)
  assert.equal(one.voices.answer(`${VOICE_PATH}${idOf(1024)}`), '{"verdict":1,"signature":"0x01"}')
  for (const path of ['/', VOICE_PATH, `${VOICE_PATH}../health`, idOf(1024)]) {
    assert.equal(one.voices.answer(path), undefined)
  }
})
