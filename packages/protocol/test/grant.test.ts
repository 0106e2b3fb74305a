/** docs/spec.md §3, §4 and §13: the names of a grant and of a call under it, as a general EIP-712 and ABI encoder makes them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, hashTypedData, keccak256, parseAbiParameters } from 'viem'
import {
  AssayError,
  assayDomain,
  decodeGrantHeader,
  encodeGrantHeader,
  grantIdOf,
  grantRequestId,
  MAX_GRANT_LIST,
  requestIdOf,
  SCHEME,
  SPENDING_GRANT_TYPES,
  type SpendingGrant,
} from '../src/index.ts'
import { arrayHasher } from '../src/typedData.ts'
import { address, bytes32, deployment, hexOf, requestAuth, uint64, uint128 } from './support/arbitraries.ts'

const uint256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
const grants: fc.Arbitrary<SpendingGrant> = fc.record(
  {
    payer: address,
    gateway: address,
    maxTotal: uint128,
    maxPerCall: uint128,
    ratePerHour: uint128,
    models: fc.array(bytes32, { maxLength: MAX_GRANT_LIST }),
    nodes: fc.array(address, { maxLength: MAX_GRANT_LIST }),
    expiry: uint64,
    nonce: uint256,
  },
  { noNullPrototype: true },
)
test('the id of a grant, whatever its lists, is the digest of a general EIP-712 hasher', () => {
  fc.assert(
    fc.property(deployment, grants, (where, grant) => {
      const wanted = hashTypedData({
        domain: assayDomain(where),
        types: SPENDING_GRANT_TYPES,
        primaryType: 'SpendingGrant',
        message: grant,
      })
      assert.equal(grantIdOf(grant, where), wanted)
    }),
  )
})

test('an array is hashed as its elements and not as their number, none as no bytes at all', () => {
  assert.equal(arrayHasher('bytes32')([]), keccak256('0x'))
  fc.assert(
    fc.property(fc.array(address), (values) => {
      const words = values.map((value) => encodeAbiParameters([{ type: 'address' }], [value]).slice(2))
      assert.equal(arrayHasher('address')(values), keccak256(`0x${words.join('')}`))
    }),
  )
})

test('the request id of a call under a grant is that of its place', () => {
  const chains = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(chains, address, address, bytes32, uint256, (chainId, escrow, payer, id, counter) => {
      const place = encodeAbiParameters(parseAbiParameters('bytes32, uint256'), [id, counter])
      const call = { chainId, escrow, payer, scheme: SCHEME.grant, paymentNonce: keccak256(place) }
      assert.equal(grantRequestId({ chainId, escrow, payer, grant: { id, counter } }), requestIdOf(call))
    }),
  )
})

test('the header of a call under a grant carries it there and back', () => {
  fc.assert(
    fc.property(grants, uint64, requestAuth, hexOf(65), (grant, counter, auth, signature) => {
      const pass = { grant, counter, auth: { auth, signature } }
      assert.deepEqual(decodeGrantHeader(encodeGrantHeader(pass)), pass)
    }),
  )
})

test('a grant that its types cannot hold has no id', () => {
  const [grant] = fc.sample(grants, { numRuns: 1, seed: 5 })
  const [where] = fc.sample(deployment, { numRuns: 1, seed: 5 })
  assert.ok(grant && where)
  for (const changes of [
    { maxTotal: 2n ** 128n },
    { expiry: 2n ** 64n },
    { nonce: -1n },
    { payer: '0x01' as const },
    { models: [grant.payer] },
    { nodes: [`0x${'01'.repeat(32)}` as const] },
  ]) {
    assert.throws(
      () => grantIdOf({ ...grant, ...changes }, where),
      (error) => error instanceof AssayError && error.code === 'out_of_range',
    )
  }
})
