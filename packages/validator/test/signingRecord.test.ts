import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { type Hex, pad } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { openSigningRecord } from '../src/signingRecord.ts'

const bytes = (n: number): Hex => pad(`0x${n.toString(16)}`, { size: 32 })
const record = {
  deploymentId: bytes(1),
  batchId: bytes(2),
  committer: '0x70997970c51812dc3a010c7d01b50e0d17dc79c8',
  height: 7n,
  root: bytes(3),
  verdict: 1,
} as const
const BLOCK = 100n
const vote = { deploymentId: bytes(1), registrationId: bytes(4), valid: true }
const conflict = (error: unknown) => error instanceof AssayError && error.code === 'conflict'

async function open(t: TestContext, dir?: string) {
  const folder = dir ?? temporaryFolder('record')
  const opened = openSigningRecord(folder)
  let closed = false
  const close = () => {
    if (!closed) opened.close()
    closed = true
  }
  t.after(close)
  return { ...opened, close, folder }
}

test('the same statement may be signed again, a contradicting one never', async (t) => {
  const signing = await open(t)
  signing.admitAttestation(record, BLOCK)
  signing.admitAttestation(record, BLOCK)
  signing.admitAttestation(
    { ...record, batchId: record.batchId.toUpperCase().replace('0X', '0x') as Hex },
    BLOCK,
  )
  assert.throws(() => signing.admitAttestation({ ...record, verdict: 2 }, BLOCK), conflict)
  assert.throws(() => signing.admitAttestation({ ...record, root: bytes(9) }, BLOCK), conflict)
  const other = { ...record, batchId: bytes(5), root: bytes(6) }
  assert.throws(
    () => signing.admitAttestation(other, BLOCK),
    conflict,
    'another root under one committer and height',
  )
  signing.admitAttestation({ ...other, height: 8n }, BLOCK)
  signing.admitAttestation({ ...record, deploymentId: bytes(10), verdict: 2 }, BLOCK)
  assert.deepEqual(signing.counts(record.deploymentId), { valid: 2, invalid: 0, votes: 0 })
})

test('a vote stands', async (t) => {
  const signing = await open(t)
  assert.equal(signing.voteOf(vote.deploymentId, vote.registrationId), undefined)
  signing.admitVote(vote, BLOCK)
  signing.admitVote(vote, BLOCK)
  assert.throws(() => signing.admitVote({ ...vote, valid: false }, BLOCK), conflict)
  assert.equal(signing.voteOf(vote.deploymentId, vote.registrationId), true)
})

test('a restart forgets nothing', async (t) => {
  const first = await open(t)
  first.admitAttestation(record, BLOCK)
  first.admitVote(vote, BLOCK)
  first.setCursor(record.deploymentId, 123n)
  first.close()
  const second = await open(t, first.folder)
  assert.deepEqual(second.attestationOf(record.deploymentId, record.batchId), record)
  assert.equal(second.cursor(record.deploymentId), 123n)
  assert.throws(() => second.admitAttestation({ ...record, verdict: 2 }, BLOCK), conflict)
  assert.throws(() => second.admitVote({ ...vote, valid: false }, BLOCK), conflict)
})

test('two validators cannot share one record', async (t) => {
  const first = await open(t)
  assert.throws(
    () => openSigningRecord(first.folder),
    (error) => error instanceof AssayError && error.code === 'config',
  )
})
