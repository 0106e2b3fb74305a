/** docs/spec.md §4 and §5; EIP-712. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  concat,
  encodeAbiParameters,
  getAddress,
  hashStruct,
  hashTypedData,
  keccak256,
  toBytes,
  toHex,
} from 'viem'
import {
  AssayError,
  canonicalJsonBytes,
  decodeReceiptHeader,
  encodeReceiptHeader,
  RECEIPT_FIELDS,
  type Receipt,
  receiptDigest,
  receiptLeaf,
  receiptStructHash,
  receiptToJson,
  signedReceiptFromJson,
  signedReceiptToJson,
  tag,
  toBase64Url,
} from '../src/index.ts'
import { anyReceipt, anySigned, deployment, hexOf } from './support/arbitraries.ts'

const DOMAIN_TYPE =
  'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)'
const RECEIPT_TYPE =
  'Receipt(uint8 version,bytes32 requestId,address payer,address node,address key,uint64 seq,address committer,' +
  'uint64 includeBy,bytes32 modelId,uint64 priceVersion,uint8 engineClass,uint8 mode,uint8 status,bytes32 requestHash,' +
  'bytes32 responseHash,bytes32 evidenceHash,uint64 inputUnits,uint64 outputUnits,uint128 price,uint128 valueAtRisk,' +
  'uint64 anchorBlock,bytes32 anchorHash,uint64 issuedAt)'

test('the fields stand in the order and widths of the specification', () => {
  const fields = RECEIPT_FIELDS.map(({ name, type }) => `${type} ${name}`).join(',')
  assert.equal(`Receipt(${fields})`, RECEIPT_TYPE)
})

test('struct hash and digest equal those of viem, and of EIP-712 by hand', () => {
  fc.assert(
    fc.property(anyReceipt, deployment, (receipt, where) => {
      const types = { Receipt: RECEIPT_FIELDS }
      assert.equal(receiptStructHash(receipt), hashStruct({ data: receipt, primaryType: 'Receipt', types }))
      const domainSeparator = keccak256(
        encodeAbiParameters(
          [
            { type: 'bytes32' },
            { type: 'bytes32' },
            { type: 'bytes32' },
            { type: 'uint256' },
            { type: 'address' },
            { type: 'bytes32' },
          ],
          [
            tag(DOMAIN_TYPE),
            tag('Assay'),
            tag('1'),
            BigInt(where.chainId),
            where.settlement,
            where.deploymentId,
          ],
        ),
      )
      const digest = receiptDigest(receipt, where)
      assert.equal(digest, keccak256(concat(['0x1901', domainSeparator, receiptStructHash(receipt)])))
      const domain = {
        name: 'Assay',
        version: '1',
        chainId: where.chainId,
        verifyingContract: where.settlement,
        salt: where.deploymentId,
      }
      assert.equal(digest, hashTypedData({ domain, types, primaryType: 'Receipt', message: receipt }))
    }),
    { numRuns: 50 },
  )
})

test('a digest is bound to chain, contract and deployment', () => {
  fc.assert(
    fc.property(anyReceipt, deployment, hexOf(32), hexOf(20), (receipt, where, salt, contract) => {
      const digests = [
        where,
        { ...where, chainId: where.chainId + 1 },
        { ...where, settlement: contract },
        { ...where, deploymentId: salt },
      ].map((place) => receiptDigest(receipt, place))
      assert.equal(new Set(digests).size, 4)
    }),
    { numRuns: 20 },
  )
})

test('every field, and the signature, changes the leaf', () => {
  fc.assert(
    fc.property(anySigned, ({ receipt, signature }) => {
      const leaf = receiptLeaf({ receipt, signature })
      for (const { name, type } of RECEIPT_FIELDS) {
        const value = receipt[name]
        const other =
          typeof value === 'bigint'
            ? value ^ 1n
            : typeof value === 'number'
              ? value ^ 1
              : toHex(BigInt(value) ^ 1n, { size: type === 'address' ? 20 : 32 })
        assert.notEqual(
          receiptLeaf({ receipt: { ...receipt, [name]: other } as Receipt, signature }),
          leaf,
          name,
        )
      }
      const flipped = toBytes(signature)
      flipped[64] = (flipped[64] as number) ^ 1
      assert.notEqual(receiptLeaf({ receipt, signature: toHex(flipped) }), leaf)
    }),
    { numRuns: 10 },
  )
})

test('the leaf is the double hash of the specification', () => {
  fc.assert(
    fc.property(anySigned, (signed) => {
      const inner = encodeAbiParameters(
        [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'bytes32' }, { type: 'uint64' }],
        [tag('assay/leaf/v1'), receiptStructHash(signed.receipt), keccak256(signed.signature), 7n],
      )
      const entry = { ...signed, grant: { id: signed.receipt.requestId, counter: 7n } }
      assert.equal(receiptLeaf(entry), keccak256(keccak256(inner)))
      assert.notEqual(receiptLeaf(signed), receiptLeaf(entry))
    }),
    { numRuns: 20 },
  )
})

test('the header carries a receipt there and back', () => {
  fc.assert(
    fc.property(anySigned, (signed) => {
      const header = encodeReceiptHeader(signed)
      assert.match(header, /^[A-Za-z0-9_-]+$/)
      assert.deepEqual(decodeReceiptHeader(header), signed)
    }),
  )
})

test('a header whose text was changed anywhere is another receipt or none', () => {
  const characters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
  fc.assert(
    fc.property(anySigned, fc.nat(), fc.constantFrom(...characters), (signed, at, character) => {
      const header = encodeReceiptHeader(signed)
      const place = at % header.length
      const changed = header.slice(0, place) + character + header.slice(place + 1)
      fc.pre(changed !== header)
      try {
        assert.notDeepEqual(decodeReceiptHeader(changed), signed)
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        assert.ok(error instanceof AssayError)
      }
    }),
  )
})

test('checksummed addresses are written in lower case', () => {
  const [signed] = fc.sample(anySigned, { numRuns: 1, seed: 1 })
  assert.ok(signed)
  const mixed = getAddress(signed.receipt.payer)
  assert.notEqual(mixed, mixed.toLowerCase())
  const json = receiptToJson({ ...signed.receipt, payer: mixed })
  assert.equal(json.payer, mixed.toLowerCase())
  assert.equal(
    receiptStructHash({ ...signed.receipt, payer: mixed }),
    receiptStructHash({ ...signed.receipt, payer: mixed.toLowerCase() as `0x${string}` }),
  )
})

test('a parser refuses what is not exactly a signed receipt', () => {
  const [signed] = fc.sample(anySigned, { numRuns: 1, seed: 2 })
  assert.ok(signed)
  const good = signedReceiptToJson(signed)
  const receipt = receiptToJson(signed.receipt)
  const { seq: _, ...withoutSeq } = receipt
  const bad: [string, unknown][] = [
    ['an array', []],
    ['a string', 'receipt'],
    ['an unknown member', { ...good, extra: true }],
    ['an unknown receipt member', { ...good, receipt: { ...receipt, extra: '1' } }],
    ['a missing member', { ...good, receipt: withoutSeq }],
    ['a number where a decimal string belongs', { ...good, receipt: { ...receipt, seq: 1 } }],
    ['a string where an integer belongs', { ...good, receipt: { ...receipt, mode: '1' } }],
    ['a leading zero', { ...good, receipt: { ...receipt, seq: '01' } }],
    ['a sign', { ...good, receipt: { ...receipt, seq: '-1' } }],
    ['hex where decimals belong', { ...good, receipt: { ...receipt, seq: '0x1' } }],
    ['a blank', { ...good, receipt: { ...receipt, seq: ' 1' } }],
    ['an empty number', { ...good, receipt: { ...receipt, seq: '' } }],
    ['a uint64 of 2^64', { ...good, receipt: { ...receipt, seq: String(2n ** 64n) } }],
    ['a uint128 of 2^128', { ...good, receipt: { ...receipt, price: String(2n ** 128n) } }],
    ['a uint8 of 256', { ...good, receipt: { ...receipt, status: 256 } }],
    ['a negative uint8', { ...good, receipt: { ...receipt, status: -1 } }],
    ['upper-case hex', { ...good, receipt: { ...receipt, requestId: `0x${'AB'.repeat(32)}` } }],
    ['short hex', { ...good, receipt: { ...receipt, requestId: '0xab' } }],
    ['hex without 0x', { ...good, receipt: { ...receipt, requestId: 'ab'.repeat(33) } }],
    ['a short signature', { ...good, signature: `0x${'00'.repeat(64)}` }],
    ['a long signature', { ...good, signature: `0x${'00'.repeat(66)}` }],
  ]
  for (const [name, value] of bad) {
    assert.throws(
      () => signedReceiptFromJson(value as never),
      (error) => error instanceof AssayError && error.code === 'malformed',
      name,
    )
  }
  assert.throws(
    () => decodeReceiptHeader(toBase64Url(canonicalJsonBytes({ ...good, extra: 'x'.repeat(4096) }))),
    AssayError,
  )
})
