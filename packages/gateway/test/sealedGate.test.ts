import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BinaryResponseReader,
  createOhttpKey,
  encapsulateRequest,
  encodeBinaryRequest,
  encodeContentChunk,
  encodeResponseHead,
  openRequest,
  RESPONSE_END,
} from '@assay/protocol'
import { SealedGate } from '../src/relay/sealedGate.ts'

/** An encrypted answer of three pieces as it stands on the wire, and what opens it. */
async function sealedAnswer() {
  const key = await createOhttpKey()
  const request = { method: 'POST', scheme: 'https', authority: 'x', path: '/', headers: [] }
  const plain = encodeBinaryRequest({ ...request, body: new Uint8Array(0) })
  const { body, opener } = await encapsulateRequest(key.config, plain, 'chunked')
  const sealer = await (await openRequest(key, body, 'chunked')).seal()
  const first = await sealer.seal(encodeResponseHead(200, []), false)
  const second = await sealer.seal(encodeContentChunk(new Uint8Array(300).fill(7)), false)
  const last = await sealer.seal(RESPONSE_END, true)
  return { open: [sealer.start, first, second], last, opener }
}

test('everything but the last chunk passes, however the bytes are cut', async () => {
  for (const size of [1, 2, 17, 100, 10_000]) {
    const { open, last, opener } = await sealedAnswer()
    const wire = Buffer.concat([...open, last])
    const gate = new SealedGate()
    const passed: Uint8Array[] = []
    for (let at = 0; at < wire.length; at += size) passed.push(gate.push(wire.subarray(at, at + size)))
    assert.deepEqual(Buffer.concat(passed), Buffer.concat(open))
    assert.deepEqual(Buffer.from(gate.end() as Uint8Array), Buffer.from(last))
    // What passed shows content, and does not pass for complete.
    const reader = new BinaryResponseReader()
    for (const part of await opener.push(Buffer.concat(passed))) reader.push(part)
    assert.equal(reader.head?.status, 200)
    await assert.rejects(opener.end(), { code: 'malformed' })
  }
})

test('an answer that ends before its last chunk has no end', async () => {
  const { open } = await sealedAnswer()
  const gate = new SealedGate()
  for (const part of open) gate.push(part)
  assert.equal(gate.end(), undefined)
  assert.equal(new SealedGate().end(), undefined)
})
