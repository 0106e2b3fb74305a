/** Moving a signing record, in the cases of EIP-3076's interchange tests: whatever is read in, only caution is added. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AssayError, canonicalJsonBytes, type Json } from '@assay/protocol'
import { type Address, type Hex, pad } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { exportRecord, importRecord } from '../src/recordFile.ts'
import { ContradictionError, openSigningRecord, type SigningRecord } from '../src/signingRecord.ts'

const bytes = (n: number): Hex => pad(`0x${n.toString(16)}`, { size: 32 })
const DEPLOYMENT = bytes(1)
const OTHER = bytes(99)
const COMMITTER: Address = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8'
/** Height h: batch 100 + h with root 200 + h. */
const said = (height: number, change: { batch?: number; root?: number; verdict?: number } = {}) => ({
  deploymentId: DEPLOYMENT,
  batchId: bytes(change.batch ?? 100 + height),
  committer: COMMITTER,
  height: BigInt(height),
  root: bytes(change.root ?? 200 + height),
  verdict: change.verdict ?? 1,
})
const voted = (n: number, valid = true) => ({
  deploymentId: DEPLOYMENT,
  registrationId: bytes(300 + n),
  valid,
})

function open(t: TestContext): SigningRecord {
  const record = openSigningRecord(temporaryFolder('record'))
  t.after(() => record.close())
  return record
}

type Content = { attestations?: ReturnType<typeof said>[]; votes?: ReturnType<typeof voted>[] }

function fill(record: SigningRecord, { attestations = [], votes = [] }: Content): void {
  for (const one of attestations) record.admitAttestation(one, 10n)
  for (const one of votes) record.admitVote(one, 10n)
}

/** A file as another tool might write it; statements in the order given. */
function fileOf(
  { attestations = [], votes = [] }: Content,
  change: { [name: string]: Json } = {},
): Uint8Array {
  return canonicalJsonBytes({
    format: 'assay-signing-record/1',
    deploymentId: DEPLOYMENT,
    floor: '',
    attestations: attestations.map(({ batchId, committer, height, root, verdict }) => ({
      batchId,
      committer,
      height: height.toString(),
      root,
      verdict,
    })),
    votes: votes.map(({ registrationId, valid }) => ({ registrationId, valid })),
    ...change,
  })
}

const whole = fileOf({ attestations: [said(1)] })

const CASES: {
  name: string
  /** What the record knows before. */
  before?: Content
  file: Uint8Array
  /** Error code, or how much is new. */
  result: 'conflict' | 'malformed' | 'non_canonical' | 'config' | { attestations: number; votes: number }
  /** What may not be signed afterwards, however new its block. */
  refused?: Content
  /** What may be. */
  allowed?: Content
}[] = [
  {
    name: 'everything into an empty record',
    file: fileOf({ attestations: [said(1), said(2)], votes: [voted(1)] }),
    result: { attestations: 2, votes: 1 },
    refused: {
      attestations: [said(1, { verdict: 2 }), said(2, { batch: 7, root: 8 })],
      votes: [voted(1, false)],
    },
    allowed: { attestations: [said(1), said(2), said(3)], votes: [voted(1), voted(2)] },
  },
  {
    name: 'the union of both, each keeping its own',
    before: { attestations: [said(1), said(5)], votes: [voted(1)] },
    file: fileOf({ attestations: [said(5), said(6, { verdict: 2 })], votes: [voted(2, false)] }),
    result: { attestations: 1, votes: 1 },
    refused: { attestations: [said(1, { verdict: 2 }), said(6)], votes: [voted(1, false), voted(2)] },
    allowed: { attestations: [said(5), said(6, { verdict: 2 })] },
  },
  {
    name: 'heights out of order',
    file: fileOf({ attestations: [said(9), said(2), said(5)] }),
    result: { attestations: 3, votes: 0 },
    refused: { attestations: [said(2, { batch: 7, root: 8 })] },
    allowed: { attestations: [said(3), said(10)] },
  },
  {
    name: 'one statement twice in the file',
    file: fileOf({ attestations: [said(1), said(1)], votes: [voted(1), voted(1)] }),
    result: { attestations: 1, votes: 1 },
  },
  {
    name: 'two verdicts on one batch, file against record',
    before: { attestations: [said(1)] },
    file: fileOf({ attestations: [said(2), said(1, { verdict: 2 })] }),
    result: 'conflict',
    allowed: { attestations: [said(1), said(2, { verdict: 2 })] },
  },
  {
    name: 'two roots at one height, file against record',
    before: { attestations: [said(1)] },
    file: fileOf({ attestations: [said(2), said(1, { batch: 7, root: 8 })] }),
    result: 'conflict',
    allowed: { attestations: [said(2, { verdict: 2 })] },
  },
  {
    name: 'one batch at two heights',
    before: { attestations: [said(1)] },
    file: fileOf({ attestations: [said(2, { batch: 101, root: 201 })] }),
    result: 'conflict',
  },
  {
    name: 'a double vote inside the file',
    file: fileOf({ attestations: [said(1)], votes: [voted(1), voted(1, false)] }),
    result: 'conflict',
    allowed: { attestations: [said(1, { verdict: 2 })], votes: [voted(1, false)] },
  },
  {
    name: 'two roots at one height inside the file',
    file: fileOf({ attestations: [said(1), said(1, { batch: 7, root: 8 })] }),
    result: 'conflict',
  },
  {
    name: 'another deployment',
    file: fileOf({ attestations: [said(1)] }, { deploymentId: OTHER }),
    result: 'config',
  },
  { name: 'another version', file: fileOf({}, { format: 'assay-signing-record/2' }), result: 'malformed' },
  { name: 'a truncated file', file: whole.subarray(0, whole.length - 9), result: 'malformed' },
  { name: 'no file at all', file: new Uint8Array(), result: 'malformed' },
  {
    name: 'a flipped bit',
    file: whole.map((byte, at) => (at === 40 ? byte ^ 0x80 : byte)),
    result: 'malformed',
  },
  {
    name: 'spaces that nobody wrote',
    file: new TextEncoder().encode(`${new TextDecoder().decode(whole)} `),
    result: 'non_canonical',
  },
  { name: 'an unknown member', file: fileOf({}, { extra: 1 }), result: 'malformed' },
  {
    name: 'a verdict that is none',
    file: fileOf({ attestations: [said(1, { verdict: 0 })] }),
    result: 'malformed',
  },
  { name: 'a floor that is no block', file: fileOf({}, { floor: '-1' }), result: 'malformed' },
]

for (const { name, before = {}, file, result, refused = {}, allowed = {} } of CASES) {
  test(`import: ${name}`, (t) => {
    const record = open(t)
    fill(record, before)
    const was = exportRecord(record, DEPLOYMENT)
    if (typeof result === 'string') {
      assert.throws(
        () => importRecord(record, DEPLOYMENT, file),
        (error) => error instanceof AssayError && error.code === result,
      )
      // Refused, it changed nothing: not even the floor.
      assert.deepEqual(exportRecord(record, DEPLOYMENT), was)
      assert.equal(record.floor(DEPLOYMENT), undefined)
    } else {
      assert.deepEqual(importRecord(record, DEPLOYMENT, file), result)
      assert.equal(record.floor(DEPLOYMENT), 'unknown')
      // Once more: nothing is new, and it is as cautious as before.
      assert.deepEqual(importRecord(record, DEPLOYMENT, file), { attestations: 0, votes: 0 })
      record.raiseFloor(DEPLOYMENT, 0n)
    }
    const { attestations = [], votes = [] } = refused
    for (const one of attestations) {
      assert.throws(() => record.admitAttestation(one, 1_000n), ContradictionError)
    }
    for (const one of votes) assert.throws(() => record.admitVote(one, 1_000n), ContradictionError)
    fill(record, allowed)
  })
}

test('from machine to machine nothing is lost: what was exported is what is exported there', (t) => {
  const [from, to] = [open(t), open(t)]
  fill(from, { attestations: [said(12), said(3, { verdict: 2 })], votes: [voted(2, false), voted(1)] })
  from.raiseFloor(DEPLOYMENT, 7n)
  const file = exportRecord(from, DEPLOYMENT)
  importRecord(to, DEPLOYMENT, file)
  to.raiseFloor(DEPLOYMENT, 5n)
  assert.equal(to.floor(DEPLOYMENT), 7n, 'the higher floor stays')
  assert.deepEqual(exportRecord(to, DEPLOYMENT), file)
})

test('a record that was restored says nothing new about what its backup may not know', (t) => {
  const lived = open(t)
  fill(lived, { attestations: [said(1)] })
  const backup = exportRecord(lived, DEPLOYMENT)
  fill(lived, { attestations: [said(2)], votes: [voted(1)] })

  const restored = open(t)
  importRecord(restored, DEPLOYMENT, backup)
  // The chain was not asked yet: nothing new at all, what is known may be repeated.
  assert.throws(() => restored.admitAttestation(said(9), 1_000_000n), ContradictionError)
  restored.admitAttestation(said(1), 50n)
  // The chain is at block 100: what may have been signed lies at or below it.
  restored.raiseFloor(DEPLOYMENT, 100n)
  for (const block of [1n, 60n, 100n]) {
    assert.throws(() => restored.admitAttestation(said(2, { verdict: 2 }), block), ContradictionError)
    assert.throws(() => restored.admitVote(voted(1, false), block), ContradictionError)
  }
  restored.admitAttestation(said(1), 50n)
  restored.admitAttestation(said(3), 101n)
  restored.admitVote(voted(2), 101n)
  // What the chain shows to have been signed is taken over, and stands.
  restored.merge(DEPLOYMENT, { attestations: [said(2)], votes: [], floor: undefined })
  restored.raiseFloor(DEPLOYMENT, 120n)
  restored.admitAttestation(said(2), 60n)
  assert.throws(() => restored.admitAttestation(said(2, { verdict: 2 }), 60n), ContradictionError)
})

test('a floor outlives the process, and is that of one deployment', (t) => {
  const folder = temporaryFolder('record')
  const first = openSigningRecord(folder)
  importRecord(first, DEPLOYMENT, fileOf({}))
  first.close()
  const second = openSigningRecord(folder)
  t.after(() => second.close())
  assert.equal(second.floor(DEPLOYMENT), 'unknown')
  second.raiseFloor(DEPLOYMENT, 9n)
  assert.equal(second.floor(DEPLOYMENT), 9n)
  second.admitAttestation({ ...said(1), deploymentId: OTHER }, 1n)
})
