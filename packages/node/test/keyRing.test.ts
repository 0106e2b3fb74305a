import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encapsulateRequest,
  encodeBinaryRequest,
  MODE,
  receiptDigest,
  recoverSigner,
  STATUS,
  tag,
} from '@assay/protocol'
import { zeroHash } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import type { Enclave } from '../src/enclaves/enclave.ts'
import { nitroSimAttester } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { openKeyRing } from '../src/keyRing.ts'
import type { Registration } from '../src/register.ts'
import { openConfidential } from '../src/server/openConfidential.ts'
import type { ReceiptParameters } from '../src/signReceipt.ts'
import { DEPLOYMENT, GATEWAY, OPERATOR, PAYER, PRICE } from './harness.ts'

const answer: ReceiptParameters = {
  ...{ requestId: tag('request'), payer: PAYER.address, committer: GATEWAY, modelId: tag('model') },
  ...{ priceVersion: 1n, priceRow: PRICE, engineClass: 0, mode: MODE.tee, status: STATUS.complete },
  ...{ requestHash: zeroHash, responseHash: zeroHash, inputUnits: 1, outputUnits: 1, valueAtRisk: 0n },
  anchor: { number: 7n, hash: tag('block 7'), timestamp: 1n },
}

/** Registrations by hand: a test says when a key is admitted, and when it ends. */
function registrar() {
  const keys = new Map<string, { admit: () => void; end: () => void; closed: boolean; enclave: Enclave }>()
  const register = (enclave: Enclave): Registration => {
    const ready = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    let valid = false
    const entry = {
      enclave,
      closed: false,
      admit: () => {
        valid = true
        ready.resolve()
      },
      end: () => {
        valid = false
        ended.resolve()
      },
    }
    keys.set(enclave.key, entry)
    return {
      isValid: () => valid,
      validFrom: () => 4_000_000_000n,
      ready: ready.promise,
      ended: ended.promise,
      close: () => {
        entry.closed = true
      },
    }
  }
  return {
    keys,
    register,
    newest: () => [...keys.values()].at(-1) as NonNullable<ReturnType<typeof keys.get>>,
  }
}

async function ringOf(overlapMs = 60_000) {
  const attester = nitroSimAttester(await simulatedRoot(temporaryFolder('ring')))
  const registrations = registrar()
  const events: string[] = []
  const ring = await openKeyRing({
    open: () => openEnclave({ attester, engineClasses: 1 }),
    register: registrations.register,
    node: OPERATOR,
    deployment: DEPLOYMENT,
    log: (event) => events.push(event),
    overlapMs,
  })
  return { ring, events, ...registrations }
}

test('two keys overlap: the new one signs once it is admitted, and what came to the old one is answered by it', async (t) => {
  const { ring, keys, newest } = await ringOf()
  t.after(() => ring.close())
  assert.equal(ring.isValid(), false)
  newest().admit()
  await ring.ready
  const old = newest()
  const inner = { method: 'POST', scheme: 'https', authority: 'enclave', path: '/v1/messages' }
  const plain = encodeBinaryRequest({ ...inner, headers: [], body: new Uint8Array([1]) })
  const sealed = await encapsulateRequest(old.enclave.ohttp.config, plain, 'whole')
  const rotation = ring.rotate()
  await until(() => keys.size === 2)
  assert.equal(ring.current().key, old.enclave.key, 'votes take their time, and answers go on')
  assert.equal((await ring.sign(answer)).receipt.key, old.enclave.key)
  newest().admit()
  await rotation
  const fresh = newest()
  assert.notEqual(fresh.enclave.key, old.enclave.key)
  const { receipt, signature } = await ring.sign(answer)
  assert.equal(receipt.key, fresh.enclave.key)
  assert.equal(receipt.seq, 1n, 'each key counts for itself')
  assert.equal(receipt.issuedAt, 4_000_000_000n, 'never before the key counts')
  assert.equal(await recoverSigner(receiptDigest(receipt, DEPLOYMENT), signature), fresh.enclave.key)
  assert.deepEqual(
    ring.confidential().map(({ key }) => key),
    [fresh.enclave.key, old.enclave.key],
  )
  const outer = { method: 'POST', path: '/v1/confidential', headers: [], body: Uint8Array.from(sealed.body) }
  const opened = await openConfidential(ring.confidential(), {
    ...outer,
    headers: [['content-type', 'message/ohttp-req']],
  })
  assert.ok('key' in opened)
  const late = await opened.key.sign(answer)
  assert.equal(late.receipt.key, old.enclave.key, 'the client checked that key, and wants its receipt')
})

test('a new key that is voted down leaves the old one in its place', async (t) => {
  const { ring, keys, newest } = await ringOf()
  t.after(() => ring.close())
  const old = newest()
  old.admit()
  await ring.ready
  const rotation = ring.rotate()
  await until(() => keys.size === 2)
  newest().end()
  await rotation
  assert.equal(ring.current().key, old.enclave.key)
  assert.equal(ring.isValid(), true)
})

test('a key that ended is replaced by itself, and the old one leaves after the overlap', async (t) => {
  const { ring, keys, newest, events } = await ringOf(1)
  t.after(() => ring.close())
  const old = newest()
  old.admit()
  await ring.ready
  old.end()
  await until(() => keys.size === 2)
  assert.equal(ring.isValid(), false)
  newest().admit()
  await until(() => ring.isValid())
  await until(() => events.includes('key_retired'))
  assert.equal(old.closed, true)
  assert.deepEqual(
    ring.confidential().map(({ key }) => key),
    [newest().enclave.key],
  )
})
