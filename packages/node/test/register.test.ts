import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../test/until.ts'
import { type KeyRecord, keepRegistered } from '../src/register.ts'

const key = '0x00000000000000000000000000000000000000b1'
const node = '0x00000000000000000000000000000000000000B2'
const log = () => undefined
const none: KeyRecord = {
  node: '0x0000000000000000000000000000000000000000',
  ...{ validFrom: 0n, revokedAt: 0n, attestedAt: 0n, expiresAt: 0n, counts: false, now: 10n },
}
const admitted: KeyRecord = { ...none, node, validFrom: 1n, attestedAt: 1n, expiresAt: 101n, counts: true }

test('proposes once, waits for admission, and proposes again when the chain lost the key', async () => {
  let proposals = 0
  let record = none
  const registration = keepRegistered({
    registry: {
      read: async () => record,
      propose: async () => {
        proposals++
      },
    },
    key,
    node: node.toLowerCase() as `0x${string}`,
    log,
    pollMs: 2,
    watchMs: 2,
    repeatMs: 60_000,
  })
  await until(() => proposals === 1)
  assert.equal(registration.isValid(), false)
  record = admitted
  await registration.ready
  assert.equal(registration.isValid(), true)
  record = none
  await until(() => proposals === 2)
  assert.equal(registration.isValid(), false)
  record = admitted
  await until(() => registration.isValid())
  record = { ...admitted, revokedAt: 2n, counts: false }
  await registration.ended
  assert.equal(registration.isValid(), false)
  assert.equal(proposals, 2, 'a revoked key is not proposed again')
  registration.close()
})

test('a proposal that fails is tried again, and a key of another operator never counts', async () => {
  let proposals = 0
  let reads = 0
  const registration = keepRegistered({
    registry: {
      read: async () => {
        reads++
        return proposals < 2 ? none : { ...admitted, node: key }
      },
      propose: async () => {
        proposals++
        if (proposals === 1) throw new Error('no bond yet')
      },
    },
    key,
    node,
    log,
    pollMs: 2,
    repeatMs: 10,
  })
  await until(() => proposals === 2)
  const then = reads
  await until(() => reads > then + 3)
  assert.equal(registration.isValid(), false)
  registration.close()
})

test('evidence is renewed from half of the term on, once for each term, and a term that ran out is the end', async () => {
  let proposals = 0
  let reads = 0
  let record = { ...admitted, now: 50n }
  const registration = keepRegistered({
    registry: {
      read: async () => {
        reads++
        return record
      },
      propose: async () => {
        proposals++
      },
    },
    key,
    node,
    log,
    pollMs: 2,
    watchMs: 2,
    repeatMs: 60_000,
  })
  await registration.ready
  const early = reads
  await until(() => reads > early + 3)
  assert.equal(proposals, 0, 'the first half of the term needs nothing')
  record = { ...admitted, now: 51n }
  await until(() => proposals === 1)
  const later = reads
  await until(() => reads > later + 3)
  assert.equal(proposals, 1, 'the votes are waited for')
  record = { ...admitted, attestedAt: 51n, expiresAt: 151n, now: 60n }
  const renewed = reads
  await until(() => reads > renewed + 3)
  assert.deepEqual([proposals, registration.isValid()], [1, true])
  record = { ...record, counts: false, now: 151n }
  await registration.ended
  assert.equal(registration.isValid(), false)
  registration.close()
})

test('what else stands behind a key counts too: without its measurement it is not valid, and comes back with it', async () => {
  let record = admitted
  const registration = keepRegistered({
    registry: { read: async () => record, propose: async () => undefined },
    ...{ key, node, log, pollMs: 2, watchMs: 2 },
  })
  await registration.ready
  record = { ...admitted, counts: false }
  await until(() => !registration.isValid())
  record = admitted
  await until(() => registration.isValid())
  registration.close()
})
