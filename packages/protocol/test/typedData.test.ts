/** docs/spec.md §4: attestations, key votes and request authorisations as EIP-712 statements, built by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, encodeAbiParameters, type Hex, keccak256 } from 'viem'
import {
  AssayError,
  attestationDigest,
  canonicalJsonBytes,
  type Deployment,
  decodeRequestAuthHeader,
  encodeRequestAuthHeader,
  keyVoteDigest,
  requestAuthDigest,
  requestAuthFromJson,
  requestAuthToJson,
  tag,
  toBase64Url,
} from '../src/index.ts'
import { bytes32, deployment, hexOf, requestAuth, uint64 } from './support/arbitraries.ts'

function encode(types: string, values: readonly unknown[]): Hex {
  return encodeAbiParameters(
    types.split(' ').map((type) => ({ type })),
    values,
  )
}

function digestByHand(where: Deployment, type: string, words: string, values: readonly unknown[]): Hex {
  const domainType =
    'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)'
  const separator = keccak256(
    encode('bytes32 bytes32 bytes32 uint256 address bytes32', [
      tag(domainType),
      tag('Assay'),
      tag('1'),
      where.chainId,
      where.settlement,
      where.deploymentId,
    ]),
  )
  return keccak256(
    concat(['0x1901', separator, keccak256(encode(`bytes32 ${words}`, [tag(type), ...values]))]),
  )
}

const verdict = fc.integer({ min: 0, max: 255 })

test('attestation', () => {
  fc.assert(
    fc.property(
      deployment,
      bytes32,
      bytes32,
      uint64,
      fc.boolean(),
      verdict,
      (where, batchId, root, block, available, verdict) => {
        const type =
          'Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)'
        const values = [batchId, root, block, available, verdict]
        assert.equal(
          attestationDigest(
            { batchId, root, registryBlock: block, dataAvailable: available, verdict },
            where,
          ),
          digestByHand(where, type, 'bytes32 bytes32 uint64 bool uint8', values),
        )
      },
    ),
    { numRuns: 30 },
  )
})

test('key vote', () => {
  fc.assert(
    fc.property(deployment, bytes32, fc.boolean(), (where, registrationId, valid) => {
      const type = 'KeyVote(bytes32 registrationId,bool valid)'
      assert.equal(
        keyVoteDigest({ registrationId, valid }, where),
        digestByHand(where, type, 'bytes32 bool', [registrationId, valid]),
      )
    }),
    { numRuns: 30 },
  )
})

test('request authorisation', () => {
  fc.assert(
    fc.property(deployment, requestAuth, (where, value) => {
      const type =
        'RequestAuth(bytes32 requestId,bytes32 requestHash,bytes32 modelId,uint128 maxPrice,address committer,uint64 deadline)'
      const words = 'bytes32 bytes32 bytes32 uint128 address uint64'
      const { requestId, requestHash, modelId, maxPrice, committer, deadline } = value
      const values = [requestId, requestHash, modelId, maxPrice, committer, deadline]
      assert.equal(requestAuthDigest(value, where), digestByHand(where, type, words, values))
    }),
    { numRuns: 30 },
  )
})

test('the request-authorisation header carries it there and back', () => {
  fc.assert(
    fc.property(requestAuth, hexOf(65), (value, signature) => {
      const signed = { auth: value, signature }
      assert.deepEqual(decodeRequestAuthHeader(encodeRequestAuthHeader(signed)), signed)
    }),
  )
})

test('a request authorisation with a member more or less, or out of range, is refused', () => {
  const [value] = fc.sample(requestAuth, { numRuns: 1, seed: 3 })
  assert.ok(value)
  const signature: Hex = `0x${'01'.repeat(65)}`
  const good = requestAuthToJson({ auth: value, signature }) as {
    auth: Record<string, string>
    signature: Hex
  }
  const { deadline: _, ...short } = good.auth
  for (const bad of [
    { ...good, extra: '1' },
    { auth: good.auth },
    { ...good, auth: short },
    { ...good, auth: { ...good.auth, extra: '1' } },
    { ...good, auth: { ...good.auth, maxPrice: String(2n ** 128n) } },
    { ...good, auth: { ...good.auth, deadline: '01' } },
    { ...good, signature: '0x' },
  ]) {
    assert.throws(() => requestAuthFromJson(bad as never), AssayError)
    assert.throws(() => decodeRequestAuthHeader(toBase64Url(canonicalJsonBytes(bad as never))), AssayError)
  }
})
