/** The proof bundle of docs/spec.md §8: there and back, and never two texts for one bundle. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  AssayError,
  type Bundle,
  canonicalJsonBytes,
  encodeBundle,
  evidenceFromJson,
  evidenceToJson,
  type ModelManifest,
  parseBundle,
} from '../src/index.ts'
import { address, anySigned, bytes32, hexOf, requestAuth, uint64, uint128 } from './support/arbitraries.ts'

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true })
const text = (maxLength: number) => fc.string({ unit: 'grapheme-ascii', maxLength })
const bytes = fc.uint8Array({ maxLength: 60 })
const siblings = fc.array(
  record({ hash: bytes32, sum: uint128, exposure: uint128, count: uint64, left: fc.boolean() }),
  { maxLength: 4 },
)
const inclusion = record({
  batchId: bytes32,
  committer: address,
  height: uint64,
  root: bytes32,
  sum: uint128,
  exposure: uint128,
  count: uint64,
  dataHash: bytes32,
  leafSiblings: siblings,
  rowSiblings: siblings,
  groupSiblings: siblings,
})
const evidence = record({
  kind: text(20),
  document: bytes,
  tlsKeyHash: bytes32,
  hpkeKeyHash: bytes32,
  anchorBlock: uint64,
  anchorHash: bytes32,
})
const auth = record({
  auth: requestAuth,
  signature: hexOf(65),
})
const model: fc.Arbitrary<ModelManifest> = record<ModelManifest>({
  name: text(20),
  engine: text(10),
  files: fc.array(record({ name: text(10), sha256: bytes32, bytes: uint64 }), { maxLength: 2 }),
  contextLength: fc.nat(),
  license: text(10),
  modes: fc.subarray(['bonded', 'tee', 'zk', 'replay'] as const),
})
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
const bundle: fc.Arbitrary<Bundle> = fc
  .tuple(
    anySigned,
    record({
      method: fc.constantFrom('POST', 'GET'),
      path: text(30),
      headers: fc.array(text(30), { maxLength: 3 }),
      body: bytes,
    }),
    record({ status: fc.integer({ min: 0, max: 999 }), contentType: text(30), body: bytes }),
    record({
      grant: maybe(record({ id: bytes32, counter: uint64 })),
      requestAuth: maybe(auth),
      inclusion: maybe(inclusion),
      evidence: maybe(evidence),
      model: maybe(model),
    }),
  )
  .map(([signed, request, response, rest]) => ({ ...signed, request, response, ...rest }))

test('a bundle is read back as it was written, and written again to the same bytes', () => {
  fc.assert(
    fc.property(bundle, (value) => {
      const encoded = encodeBundle(value)
      const read = parseBundle(encoded)
      assert.deepEqual(read, value)
      assert.deepEqual(Buffer.from(encodeBundle(read)), Buffer.from(encoded))
    }),
  )
})

test('a bundle with any one byte changed is refused or says something else', () => {
  fc.assert(
    fc.property(bundle, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, difference) => {
      const encoded = encodeBundle(value)
      const at = place % encoded.length
      encoded[at] = (encoded[at] as number) ^ difference
      let read: Bundle
      try {
        read = parseBundle(encoded)
      } catch (error) {
        assert.ok(error instanceof AssayError, `${error}`)
        return
      }
      assert.notDeepEqual(read, value)
      assert.deepEqual(Buffer.from(encodeBundle(read)), Buffer.from(encoded))
    }),
    { numRuns: 300 },
  )
})

test('another format, an unknown or a missing member, and a wrong type are refused', () => {
  const [value] = fc.sample(bundle, { numRuns: 1, seed: 5 })
  assert.ok(value)
  const good = JSON.parse(new TextDecoder().decode(encodeBundle(value))) as Record<
    string,
    Record<string, unknown>
  >
  const { response: _, ...withoutResponse } = good
  const tooDeep = Array.from({ length: 33 }, () => ({
    hash: `0x${'00'.repeat(32)}`,
    sum: '0',
    count: '1',
    left: true,
  }))
  const [proof] = fc.sample(inclusion, { numRuns: 1, seed: 6 })
  assert.ok(proof)
  const inclusionJson = {
    ...proof,
    height: '1',
    sum: '1',
    count: '1',
    leafSiblings: tooDeep,
    rowSiblings: [],
  }
  for (const bad of [
    { ...good, format: 'assay-bundle/2' },
    { ...good, extra: {} },
    withoutResponse,
    { ...good, response: { ...good.response, status: 1000 } },
    { ...good, response: { ...good.response, status: '200' } },
    { ...good, request: { ...good.request, body: 'AB==' } },
    { ...good, request: { ...good.request, body: '!' } },
    { ...good, request: { ...good.request, headers: [1] } },
    { ...good, inclusion: inclusionJson },
    { ...good, inclusion: {} },
    { ...good, evidence: [] },
  ]) {
    assert.throws(() => parseBundle(canonicalJsonBytes(bad as never)), AssayError)
  }
  assert.throws(() => parseBundle(new TextEncoder().encode(JSON.stringify(good, null, 1))), AssayError)
})

test('evidence is read back as it was written', () => {
  fc.assert(
    fc.property(evidence, (value) => assert.deepEqual(evidenceFromJson(evidenceToJson(value)), value)),
  )
})
