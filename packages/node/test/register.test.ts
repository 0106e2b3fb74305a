import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepRegistered } from '../src/register.ts'
import { until } from './harness.ts'

const key = '0x00000000000000000000000000000000000000b1'
const node = '0x00000000000000000000000000000000000000B2'
const log = () => undefined
const none = { node: '0x0000000000000000000000000000000000000000', validFrom: 0n, revokedAt: 0n } as const
const admitted = { node, validFrom: 1n, revokedAt: 0n } as const

test('proposes once, waits for admission, and proposes again when the chain lost the key', async () => {
  let proposals = 0
  let record: { node: `0x${string}`; validFrom: bigint; revokedAt: bigint } = none
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
  record = { ...admitted, revokedAt: 2n }
  await until(() => !registration.isValid())
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
