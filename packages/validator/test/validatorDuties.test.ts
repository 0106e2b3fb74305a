import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  AssayError,
  attestationDigest,
  buildBatch,
  CONTRACT_NAMES,
  type Contracts,
  DATA_PART,
  FAULT_CLASS,
  groupHeaders,
  type KeyRegistration,
  keyVoteDigest,
  recoverSigner,
  registrationIdOf,
  VERDICT,
} from '@assay/protocol'
import { BATCH_STATE, type BatchView } from '@assay/verify'
import { type Address, type Hex, keccak256 } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import {
  committedView,
  deployment,
  escrow,
  gateway,
  issuedAt,
  makeReceipt,
  makeView,
  signReceipt,
} from '../../verify/test/world.ts'
import { openBatchMemory } from '../src/faults/batchMemory.ts'
import { ContradictionError, openSigningRecord } from '../src/signingRecord.ts'
import {
  type KeyProposal,
  type ValidatorCall,
  type ValidatorChain,
  validatorCalls,
} from '../src/validatorChain.ts'
import { attendBatch, attendProposal, type DutyContext } from '../src/validatorDuties.ts'
import { voicesOf } from '../src/voices.ts'

const privateKey = generatePrivateKey()
const operator = privateKeyToAccount(privateKey).address
const teeRegistry: Address = '0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9'
const contracts = Object.fromEntries(CONTRACT_NAMES.map((name) => [name, teeRegistry])) as Contracts
const receipts = await Promise.all([1n, 2n].map((seq) => signReceipt(makeReceipt({ seq }))))
const batch = buildBatch({ deployment, committer: gateway, height: 1n, receipts })
const blockAt = (number: bigint) => ({
  number,
  hash: keccak256(`0x${number.toString(16).padStart(4, '0')}`),
  timestamp: issuedAt + 10n,
})
const blocks = { safe: blockAt(110n), latest: blockAt(111n) }

/** A chain in memory: one batch, what was sent, and which calls would go through. */
function world(
  t: TestContext,
  dir: string,
  changes: {
    batch?: Partial<BatchView>
    files?: Record<string, Uint8Array>
    possible?: string[]
    courtesy?: bigint
    operatorKey?: Hex
  } = {},
) {
  const sent: ValidatorCall[] = []
  const fetched: string[] = []
  const record = openSigningRecord(dir)
  let open = true
  const memory = openBatchMemory(dir, deployment.deploymentId)
  const close = () => {
    if (open) record.close()
    if (open) memory.close()
    open = false
  }
  t.after(close)
  const state = committedView(batch, changes.batch)
  const approval = { validFrom: 1n, revokedAt: 0n }
  const chain: ValidatorChain = {
    safeBlock: async () => blocks.safe,
    latestBlock: async () => blocks.latest,
    block: async (number) => blockAt(number),
    deploymentId: async () => deployment.deploymentId,
    events: async () => ({ batches: [], proposals: [], uncounted: [] }),
    batch: async () => state,
    committedGroups: async () => groupHeaders(batch),
    attestCalls: async () => [],
    windows: async () => ({ attestTimeout: 120n, challengeWindow: 5n }),
    rewardsPending: async () => 0n,
    hasAttested: async () => sent.some((call) => call.functionName === 'attest'),
    tillUrl: async () => 'http://gateway.example/',
    attestedAt: async () => 0n,
    anchor: async (number) => blockAt(number),
    rules: async () => new Map(),
    approvals: async () => ({
      hardware: approval,
      root: approval,
      measurement: { ...approval, engineClasses: 1 },
    }),
    wouldSucceed: async (call) => (changes.possible ?? []).includes(call.functionName),
  }
  const context: DutyContext = {
    deployment,
    escrow,
    memory,
    jobs: record.faultJobs(deployment.deploymentId),
    teeRegistry,
    operator,
    privateKey,
    chain,
    calls: validatorCalls({ contracts }),
    record,
    send: async (call) => {
      if (call.functionName === 'attest') {
        assert.equal(
          record.attestationOf(deployment.deploymentId, state.batchId)?.verdict,
          call.args[3],
          'recorded first',
        )
      }
      if (call.functionName === 'voteKey') {
        assert.equal(record.voteOf(deployment.deploymentId, call.args[0]), call.args[1], 'recorded first')
      }
      sent.push(call)
    },
    fetch: async (url) => {
      fetched.push(url)
      const file = changes.files?.[url]
      if (file === undefined) throw new AssayError('The data could not be fetched.', { code: 'unreachable' })
      return file
    },
    readView: async () => makeView(),
    log: () => {},
    courtesy: changes.courtesy ?? 0n,
    turns: new Map(),
    voices: voicesOf({ operator, validators: [], fetch: () => Promise.reject(new Error('nobody to ask')) }),
  }
  return { context, sent, fetched, record, close }
}

const dataUrl = `http://gateway.example/v1/batches/${batch.batchId}/data`
const honest = { [dataUrl]: batch.file }
const folder = () => temporaryFolder('duty')

test('a good batch is recorded, signed and attested once', async (t) => {
  const { context, sent, fetched } = world(t, folder(), { files: honest })
  assert.equal(await attendBatch(batch.batchId, blocks, context), 'waiting')
  assert.equal(await attendBatch(batch.batchId, blocks, context), 'waiting')
  assert.deepEqual(fetched, [dataUrl])
  const [call, ...more] = sent
  assert.deepEqual(more, [])
  assert.ok(call?.functionName === 'attest')
  const [batchId, registryBlock, dataAvailable, verdict, signatures] = call.args
  assert.equal(verdict, VERDICT.valid)
  const digest = attestationDigest(
    { batchId, root: batch.header.root, registryBlock, dataAvailable, verdict },
    deployment,
  )
  assert.equal(registryBlock, 100n)
  assert.equal(await recoverSigner(digest, signatures[0] as Hex), operator.toLowerCase())
})

test('a batch with a bad receipt is attested invalid', async (t) => {
  const forged = await signReceipt(makeReceipt({ seq: 7n }), generatePrivateKey())
  const bad = buildBatch({ deployment, committer: gateway, height: 1n, receipts: [forged] })
  const url = `http://gateway.example/v1/batches/${bad.batchId}/data`
  const { context, sent } = world(t, folder(), {
    batch: { ...bad.header, batchId: bad.batchId },
    files: { [url]: bad.file },
  })
  await attendBatch(bad.batchId, blocks, context)
  assert.ok(sent[0]?.functionName === 'attest' && sent[0].args[3] === VERDICT.invalid)
})

test('data that cannot be had, or other data, is never signed about', async (t) => {
  for (const files of [{}, { [dataUrl]: new Uint8Array([1]) }]) {
    const { context, sent, record } = world(t, folder(), { files })
    await assert.rejects(attendBatch(batch.batchId, blocks, context), { code: 'unreachable' })
    assert.deepEqual(sent, [])
    assert.equal(record.attestationOf(deployment.deploymentId, batch.batchId), undefined)
  }
})

test('a commit that is not safe yet is left alone', async (t) => {
  const { context, sent } = world(t, folder(), { files: honest, batch: { committedBlock: 111n } })
  assert.equal(await attendBatch(batch.batchId, blocks, context), 'waiting')
  assert.deepEqual(sent, [])
})

test('after a crash between record and signature the same verdict is signed, without looking again', async (t) => {
  const dir = folder()
  const first = world(t, dir, { files: honest })
  first.context.send = async () => {
    throw new Error('the process died here')
  }
  await assert.rejects(attendBatch(batch.batchId, blocks, first.context))
  first.close()
  const second = world(t, dir, { files: {}, batch: { committedBlock: 105n } })
  await attendBatch(batch.batchId, blocks, second.context)
  assert.deepEqual(second.fetched, [])
  assert.ok(second.sent[0]?.functionName === 'attest' && second.sent[0].args[1] === 105n)
})

test('another root under the same committer and height is never signed', async (t) => {
  const dir = folder()
  const first = world(t, dir, { files: honest })
  await attendBatch(batch.batchId, blocks, first.context)
  first.close()
  const twin = buildBatch({ deployment, committer: gateway, height: 1n, receipts: receipts.slice(1) })
  const second = world(t, dir, {
    batch: { ...twin.header, batchId: twin.batchId },
    files: { [`http://gateway.example/v1/batches/${twin.batchId}/data`]: twin.file },
  })
  await assert.rejects(attendBatch(twin.batchId, blocks, second.context), ContradictionError)
  assert.deepEqual(second.sent, [])
})

test('an attested batch is finalised when it is possible, after the turn of those before', async (t) => {
  const attested = { quorumAt: issuedAt + 3n, state: BATCH_STATE.attested }
  const early = world(t, folder(), { files: honest, batch: attested })
  await attendBatch(batch.batchId, blocks, early.context)
  assert.deepEqual(
    early.sent.map((call) => call.functionName),
    ['attest'],
  )
  const first = world(t, folder(), { files: honest, batch: attested, possible: ['finalise'] })
  await attendBatch(batch.batchId, blocks, first.context)
  assert.deepEqual(
    first.sent.map((call) => call.functionName),
    ['attest', 'finalise'],
  )
  const last = world(t, folder(), {
    files: honest,
    batch: attested,
    possible: ['finalise'],
    courtesy: 4n,
  })
  await attendBatch(batch.batchId, blocks, last.context)
  assert.deepEqual(
    last.sent.map((call) => call.functionName),
    ['attest'],
  )
  const later = { ...blocks, latest: { ...blocks.latest, timestamp: blocks.latest.timestamp + 4n } }
  await attendBatch(batch.batchId, later, last.context)
  assert.deepEqual(
    last.sent.map((call) => call.functionName),
    ['attest', 'finalise'],
  )
})

test('final, void and expired batches are looked through once and nothing is said of them', async (t) => {
  for (const state of [BATCH_STATE.final, BATCH_STATE.void, BATCH_STATE.expired]) {
    const { context, sent, fetched } = world(t, folder(), {
      files: honest,
      batch: { state },
      possible: ['finalise', 'expire'],
    })
    for (let time = 0; time < 2; time++) {
      assert.equal(await attendBatch(batch.batchId, blocks, context), 'settled')
    }
    assert.deepEqual([sent, fetched], [[], [dataUrl]])
    assert.deepEqual(context.jobs.open(), [])
  }
})

test('a lie that has become final is written down, and one whose file is lost given up in time', async (t) => {
  const forged = await signReceipt(makeReceipt({ seq: 7n }), generatePrivateKey())
  const bad = buildBatch({ deployment, committer: gateway, height: 1n, receipts: [forged] })
  const url = `http://gateway.example/v1/batches/${bad.batchId}/data`
  const final = { ...bad.header, batchId: bad.batchId, state: BATCH_STATE.final }
  const { context, sent } = world(t, folder(), { batch: final, files: { [url]: bad.file } })
  assert.equal(await attendBatch(bad.batchId, blocks, context), 'settled')
  const [job, ...more] = context.jobs.open()
  assert.deepEqual([job?.faultClass, job?.batchId, more, sent], [FAULT_CLASS.tee, bad.batchId, [], []])

  const lost = world(t, folder(), { batch: final })
  await assert.rejects(attendBatch(bad.batchId, blocks, lost.context), { code: 'unreachable' })
  const later = { ...blocks, latest: { ...blocks.latest, timestamp: issuedAt + 700n } }
  assert.equal(await attendBatch(bad.batchId, later, lost.context), 'settled')
  const muchLater = { ...blocks, latest: { ...blocks.latest, timestamp: issuedAt + 900_000n } }
  const old = world(t, folder(), { batch: final, files: { [url]: bad.file } })
  assert.equal(await attendBatch(bad.batchId, muchLater, old.context), 'settled')
  assert.deepEqual(old.fetched, [])
})

test('a file that is late is demanded, one part after the other, while the batch is open', async (t) => {
  const { context } = world(t, folder(), { files: {} })
  const at = (seconds: bigint) => ({ ...blocks, latest: { ...blocks.latest, timestamp: issuedAt + seconds } })
  const attend = (seconds: bigint) =>
    assert.rejects(attendBatch(batch.batchId, at(seconds), context), { code: 'unreachable' })
  await attend(21n)
  assert.deepEqual(context.jobs.open(), [])
  for (const index of [0n, 1n, 2n, 3n]) {
    await attend(22n + index)
    const [job] = context.jobs.open()
    assert.deepEqual(job?.plan, { kind: 'demand', part: DATA_PART.chunk, index })
    context.jobs.advance(job?.faultId as Hex, 'answered')
  }
  await attend(40n)
  assert.deepEqual([context.jobs.open(), context.jobs.counts()], [[], { answered: 1 }])
  const early = { quorumAt: issuedAt + 3n, state: BATCH_STATE.attested }
  const quick = world(t, folder(), { files: {}, batch: early })
  await assert.rejects(attendBatch(batch.batchId, at(4n), quick.context), { code: 'unreachable' })
  assert.equal(quick.context.jobs.open().length, 1)
})

test('an unknown batch is looked for again', async (t) => {
  const unknown = world(t, folder(), { batch: { state: BATCH_STATE.none } })
  await assert.rejects(attendBatch(batch.batchId, blocks, unknown.context), { code: 'not_found' })
  assert.deepEqual(unknown.sent, [])
})

test('a proposal with bad evidence is voted down once; without evidence there is no vote', async (t) => {
  const evidence = new TextEncoder().encode('{"kind":"nitro-sim"}')
  const registration: KeyRegistration = {
    node: gateway,
    key: operator,
    hardwareType: keccak256('0x01'),
    rootHash: keccak256('0x02'),
    measurement: keccak256('0x03'),
    engineClasses: 1,
    evidenceHash: keccak256(evidence),
  }
  const registrationId = registrationIdOf(deployment.chainId, teeRegistry, registration)
  const evidenceUri = 'http://node.example/v1/evidence/0x'
  const proposal: KeyProposal = { registrationId, registration, evidenceUri, block: 100n }
  const dir = folder()
  const without = world(t, dir, { possible: ['voteKey'] })
  await assert.rejects(attendProposal(proposal, blocks, without.context), { code: 'unreachable' })
  assert.deepEqual(without.sent, [])
  without.close()
  const withIt = world(t, dir, { files: { [evidenceUri]: evidence }, possible: ['voteKey'] })
  assert.equal(await attendProposal(proposal, blocks, withIt.context), 'waiting')
  const [call] = withIt.sent
  assert.ok(call?.functionName === 'voteKey')
  const [id, valid, signature] = call.args
  assert.deepEqual([id, valid], [registrationId, false])
  assert.equal(
    await recoverSigner(keyVoteDigest({ registrationId, valid }, deployment), signature),
    operator.toLowerCase(),
  )
  withIt.close()
  // The chain does not take the vote twice, and the record would not change it.
  const again = world(t, dir, { possible: [] })
  await attendProposal(proposal, blocks, again.context)
  assert.deepEqual([again.sent, again.fetched], [[], []])
})
