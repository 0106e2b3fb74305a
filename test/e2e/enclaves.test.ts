/**
 * The life of enclave keys on a real chain, voted on by real validators: who is admitted, who is refused and at which step,
 * how a key is renewed and replaced, and what a vote ends. Simulated enclaves, real everything else.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { actionOf, passProposal, readChainView } from '@assay/chain'
import {
  type Evidence,
  enclaveBinding,
  gpuNonce,
  HARDWARE_NITRO,
  HARDWARE_NITRO_SIM,
  MODE,
  NO_KEY_HASH,
  STATUS,
  tag,
} from '@assay/protocol'
import { AWS_NITRO_ROOT_HASH, rulesOfEvidence, type StepCode, verifyReceipt } from '@assay/verify'
import { type Address, bytesToBigInt, numberToBytes, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { keyRegistryOf } from '../../packages/node/src/chain/keyRegistry.ts'
import type { Attester } from '../../packages/node/src/enclaves/attester.ts'
import type { Enclave } from '../../packages/node/src/enclaves/enclave.ts'
import {
  nitroSimAttester,
  SIMULATED_MEASUREMENT,
  simulatedMeasurement,
} from '../../packages/node/src/enclaves/nitroSim.ts'
import { openEnclave } from '../../packages/node/src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../../packages/node/src/enclaves/simulatedChain.ts'
import { simulatedGpus } from '../../packages/node/src/enclaves/simulatedGpu.ts'
import { type KeyRing, openKeyRing } from '../../packages/node/src/keyRing.ts'
import { keepRegistered } from '../../packages/node/src/register.ts'
import { encodeCoseSign1, parseCoseSign1 } from '../../packages/verify/src/tee/nitro/cose.ts'
import { temporaryFolder } from '../temporaryFolder.ts'
import { until } from '../until.ts'
import { startEnclaveNetwork } from './enclaveNetwork.ts'

/**
 * Seconds: the tests before that of the renewal are over within half of it on a slow machine, so that a key is renewed once
 * the chain's clock is moved, and not before; and a document may be no more than 300 s behind that clock.
 */
const KEY_TERM = 400n
const SPARE = 'assay node under test'
const ON_GPUS = 'node with GPUs'

const root = await simulatedRoot(temporaryFolder('root'))
const open = { hardwareType: HARDWARE_NITRO_SIM, rootHash: root.rootHash, engineClasses: 1 }
let net: Awaited<ReturnType<typeof startEnclaveNetwork>>
/** Of the first operator, under the ordinary image, and of the second, under the other. */
let ring: KeyRing
let spare: KeyRing
/** What each key was proposed with, the newest last. */
const made = new Map<Address, Evidence[]>()

async function anchorNow() {
  const { number, hash } = await net.client.getBlock()
  return { number, hash }
}

function openRing(operator: 0 | 1, attester: Attester): Promise<KeyRing> {
  const sender = net.operators[operator]
  const register = (enclave: Enclave) => {
    const registry = keyRegistryOf({
      ...{ client: net.client, network: net.network, sender, enclave },
      makeEvidence: async () => {
        const evidence = await enclave.evidence(net.deployment, sender.address, await anchorNow())
        made.set(enclave.key, [...(made.get(enclave.key) ?? []), evidence])
        return net.publish(evidence)
      },
      evidenceUri: (hash) => `${net.url}/${hash}`,
    })
    return keepRegistered({
      registry,
      key: enclave.key,
      node: sender.address,
      log: () => undefined,
      pollMs: 100,
    })
  }
  return openKeyRing({
    open: () => openEnclave({ attester, engineClasses: 1 }),
    ...{ register, node: sender.address, deployment: net.deployment, log: () => undefined },
  })
}

before(async () => {
  net = await startEnclaveNetwork(
    [
      { ...open, measurement: SIMULATED_MEASUREMENT },
      { ...open, measurement: simulatedMeasurement(SPARE) },
      { ...open, measurement: simulatedMeasurement(ON_GPUS) },
      // As a production deployment would have it: AWS's root alone under its hardware type.
      {
        ...open,
        hardwareType: HARDWARE_NITRO,
        rootHash: AWS_NITRO_ROOT_HASH,
        measurement: SIMULATED_MEASUREMENT,
      },
    ],
    KEY_TERM,
  )
  ring = await openRing(0, nitroSimAttester(root))
  spare = await openRing(1, nitroSimAttester(root, { image: SPARE }))
})
after(async () => {
  ring?.close()
  spare?.close()
  await net?.close()
})

/** A receipt of now, and what the verifier says of its key and code as the chain stands at any later time. */
async function receiptBy(keys: KeyRing) {
  const { number, hash, timestamp } = await net.client.getBlock()
  const signed = await keys.sign({
    ...{ requestId: tag(String(Math.random())), payer: net.bank.address, committer: net.bank.address },
    ...{ modelId: zeroHash, priceVersion: 1n, priceRow: { perCall: 0n, inputPrice: 0n, outputPrice: 0n } },
    ...{
      engineClass: 0,
      mode: MODE.tee,
      status: STATUS.complete,
      requestHash: zeroHash,
      responseHash: zeroHash,
    },
    ...{ inputUnits: 1, outputUnits: 1, valueAtRisk: 0n, anchor: { number, hash, timestamp } },
  })
  const judge = async (): Promise<StepCode[]> => {
    const { steps } = await verifyReceipt(signed, await readChainView(net.client, net.network, signed))
    const names = ['signatureRecoversKey', 'keyWasAttested', 'measurementWasApproved']
    return steps.filter(({ name }) => names.includes(name)).map(({ code }) => code)
  }
  return { ...signed.receipt, judge }
}

/** Evidence for a key of whoever asks, on a machine that may be in any state. */
async function evidenceFor(attester: Attester, node: Address, kind = attester.kind) {
  const key = privateKeyToAccount(generatePrivateKey()).address.toLowerCase() as Address
  const { number, hash } = await anchorNow()
  const bound = { tlsKeyHash: NO_KEY_HASH, hpkeKeyHash: NO_KEY_HASH, anchorBlock: number, anchorHash: hash }
  const userData = enclaveBinding(net.deployment, { node, key, ...bound })
  const document = await attester.attest(userData)
  const gpus = await attester.gpus?.ask(gpuNonce(userData))
  return { key, evidence: { kind, document, ...bound, ...(gpus === undefined ? {} : { gpus }) } }
}

/** Since when a key counts, Unix seconds; 0 where it never did. */
async function validFrom(key: Address): Promise<bigint> {
  const record = await net.client.readContract({ ...net.registry, functionName: 'key', args: [key] })
  return record[6]
}

const good = ['ok', 'ok', 'ok']
const claim = { ...open, measurement: SIMULATED_MEASUREMENT }

test('an approved enclave is admitted and its receipts hold; a new key takes over without a break', async () => {
  await Promise.all([ring.ready, spare.ready])
  const first = await receiptBy(ring)
  assert.deepEqual(await first.judge(), good)
  const rotation = ring.rotate()
  let rotated = false
  void rotation.then(() => {
    rotated = true
  })
  const during: (typeof first)[] = []
  while (!rotated) {
    assert.ok(ring.isValid(), 'at no moment is there no key')
    during.push(await receiptBy(ring))
  }
  const later = await receiptBy(ring)
  assert.notEqual(later.key, first.key)
  assert.ok(during.length > 2 && during.every(({ key }) => key === first.key || key === later.key))
  for (const one of [first, ...during.slice(-3), later]) assert.deepEqual(await one.judge(), good)
})

test('stolen evidence, debug mode, unapproved code and simulated hardware are refused, each at its step', async () => {
  const [mine, thief] = net.operators
  const plain = nitroSimAttester(root)
  const stolen = await evidenceFor(plain, mine.address)
  const debug = await evidenceFor(nitroSimAttester(root, { debug: true }), mine.address)
  const unapproved = await evidenceFor(
    nitroSimAttester(root, { image: 'nobody approved this' }),
    mine.address,
  )
  const dressed = await evidenceFor(plain, mine.address, 'nitro')
  const refused = async (...parameters: Parameters<typeof net.propose>) => {
    const { verdict, code, reason } = await net.propose(...parameters)
    return `${verdict} ${code} ${reason}`
  }
  const asNitro = { ...claim, hardwareType: HARDWARE_NITRO }
  const other = simulatedMeasurement('nobody approved this')
  const [theft, open_, foreign, posing, simulated, simulatedRootHash] = await Promise.all([
    refused(thief, { ...claim, key: stolen.key }, stolen.evidence),
    refused(mine, { ...claim, key: debug.key }, debug.evidence),
    refused(mine, { ...claim, key: unapproved.key, measurement: other }, unapproved.evidence),
    refused(mine, { ...claim, key: unapproved.key }, unapproved.evidence),
    refused(mine, { ...asNitro, key: dressed.key, rootHash: AWS_NITRO_ROOT_HASH }, dressed.evidence),
    refused(mine, { ...asNitro, key: dressed.key }, dressed.evidence),
  ])
  assert.match(theft, /^invalid attestation_invalid userData: /)
  assert.match(open_, /^invalid attestation_invalid notDebug: PCR 0 to 2 are zero/)
  assert.match(foreign, /^invalid measurement_not_approved /)
  assert.match(posing, /^invalid attestation_invalid measurement: /)
  assert.match(simulated, /^invalid attestation_invalid rootApproved: /)
  assert.match(simulatedRootHash, /^invalid root_not_approved /)
  for (const { key } of [stolen, debug, unapproved, dressed]) {
    assert.equal(await validFrom(key), 0n, 'never valid')
  }
})

/** The same signed payload under its other signature, (r, n − s): other bytes, another hash, the same evidence. */
function twinOf(evidence: Evidence): Evidence {
  const P384_ORDER =
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
  const cose = parseCoseSign1(evidence.document)
  const s = P384_ORDER - bytesToBigInt(cose.signature.subarray(48))
  const signature = new Uint8Array([...cose.signature.subarray(0, 48), ...numberToBytes(s, { size: 48 })])
  return { ...evidence, document: encodeCoseSign1({ ...cose, signature }) }
}

const termOf = (key: Address) =>
  net.client.readContract({ ...net.registry, functionName: 'term', args: [key] })

test('a key is renewed before its term is over, and a heartbeat that a replay would extend is refused', async () => {
  const { key, enclave } = ring.current()
  const before_ = await termOf(key)
  const [first] = made.get(key) ?? []
  assert.ok(first !== undefined)
  const replayed = await net.propose(net.operators[0], { ...claim, key }, twinOf(first))
  assert.match(`${replayed.verdict} ${replayed.code}`, /^invalid not_renewed$/)
  // Not even with a fresh signature of the chip over what it said then: the enclave names a block that is too old.
  const { anchorBlock: number, anchorHash: hash } = first
  const again = await enclave.evidence(net.deployment, net.operators[0].address, { number, hash })
  assert.equal((await net.propose(net.operators[0], { ...claim, key }, again)).code, 'not_renewed')
  assert.deepEqual(await termOf(key), before_)

  await net.devnet.admin('evm_increaseTime', [Number(KEY_TERM / 2n)])
  await until(
    async () => (await termOf(key))[0] > before_[0],
    () => 'the key to be renewed',
  )
  const [attestedAt, expiresAt] = await termOf(key)
  assert.ok(attestedAt >= before_[0] + KEY_TERM / 2n && expiresAt === attestedAt + KEY_TERM)
  assert.ok(attestedAt < before_[1], 'in time')
  const second = made.get(key)?.at(-1) as Evidence
  const twin = await net.propose(net.operators[0], { ...claim, key }, twinOf(second))
  assert.equal(twin.code, 'not_renewed')
  assert.equal((await termOf(key))[1], expiresAt)
  assert.deepEqual(await (await receiptBy(ring)).judge(), good)
})

test('GPUs count once their root is voted in, asked by this very enclave, and code that needs them must show them', async () => {
  const [mine] = net.operators
  const measurement = simulatedMeasurement(ON_GPUS)
  const bare = nitroSimAttester(root, { image: ON_GPUS })
  const equipped = { ...bare, gpus: await simulatedGpus(root, 2) }
  const judge = async ({ key, evidence }: Awaited<ReturnType<typeof evidenceFor>>) => {
    const { verdict, reason } = await net.propose(mine, { ...claim, measurement, key }, evidence)
    return `${verdict} ${reason}`
  }
  const early = await judge(await evidenceFor(equipped, mine.address))
  assert.match(early, /^invalid gpus: GPU 0: rootApproved: /)
  const rule = (name: string, value: bigint) =>
    actionOf(net.network, 'TeeRegistry', 'setRule', [HARDWARE_NITRO_SIM, name, value])
  await passProposal({
    ...{ client: net.client, network: net.network, voter: net.bank },
    actions: [rule(`gpu-root/${root.rootHash}`, 1n), rule(`require-gpus/${measurement}`, 2n)],
    description: 'This image runs its model on two GPUs.',
  })
  const good = await evidenceFor(equipped, mine.address)
  assert.match(await judge(good), /^valid /)
  await until(
    async () => (await validFrom(good.key)) > 0n,
    () => 'the key to be admitted',
  )
  const without = await evidenceFor(bare, mine.address)
  assert.match(await judge(without), /^invalid gpus: the code must show 2 GPUs, here are 0/)
  const borrowed = await evidenceFor(bare, mine.address)
  const others = { ...borrowed.evidence, gpus: good.evidence.gpus ?? [] }
  assert.match(await judge({ ...borrowed, evidence: others }), /^invalid gpus: GPU 0: nonce: /)
})

test('what a vote revokes stops within a block, and what was issued before stays valid as of its time', async () => {
  const before_ = await receiptBy(spare)
  assert.deepEqual(await before_.judge(), good)
  const current = made.get(ring.current().key)?.at(-1) as Evidence
  const [rule = ''] = rulesOfEvidence(current) ?? []
  const { network, client, bank } = net
  await passProposal({
    ...{ client, network, voter: bank },
    actions: [
      actionOf(network, 'TeeRegistry', 'revokeMeasurement', [
        HARDWARE_NITRO_SIM,
        simulatedMeasurement(SPARE),
      ]),
      actionOf(network, 'TeeRegistry', 'setRule', [HARDWARE_NITRO_SIM, rule, 1n]),
    ],
    description: 'The spare image leaks, and a certificate is not to be believed any more.',
  })
  const [, revokedAt] = await client.readContract({
    ...net.registry,
    functionName: 'measurement',
    args: [HARDWARE_NITRO_SIM, simulatedMeasurement(SPARE)],
  })
  const counts = (at: bigint) =>
    client.readContract({
      ...net.registry,
      functionName: 'isKeyValidAt',
      args: [before_.key, net.operators[1].address, 0, false, at],
    })
  assert.deepEqual([await counts(revokedAt - 1n), await counts(revokedAt)], [true, false])
  assert.deepEqual(await before_.judge(), good)
  await until(
    () => !spare.isValid(),
    () => 'the node to see it',
  )
  const late = await receiptBy(spare)
  assert.ok(late.issuedAt >= revokedAt)
  assert.deepEqual(await late.judge(), ['ok', 'ok', 'measurement_not_approved'])

  // The denied certificate: no new term, whatever the key's own enclave says.
  const denied = await ring
    .current()
    .enclave.evidence(net.deployment, net.operators[0].address, await anchorNow())
  const judged = await net.propose(net.operators[0], { ...claim, key: ring.current().key }, denied)
  assert.equal(judged.code, 'attestation_invalid')
  assert.match(judged.reason, /^notRevoked: /)
})
