import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, encodeAbiParameters, type Hex } from 'viem'
import { AssayError } from '../src/index.ts'
import { type StaticType, type StaticValue, staticEncoder } from '../src/staticEncoder.ts'

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => bytesToHex(value))
const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })
const member = fc.oneof(
  ...[8, 64, 128, 256].map((bits) => uint(bits).map((value) => [`uint${bits}`, value] as const)),
  fc.integer({ min: 0, max: 255 }).map((value) => ['uint8', value] as const),
  hex(32).map((value) => ['bytes32', value] as const),
  hex(20).map((value) => ['address', value] as const),
) as fc.Arbitrary<readonly [StaticType, StaticValue]>

test('static values are encoded as any ABI encoder does', () => {
  fc.assert(
    fc.property(fc.array(member, { minLength: 1, maxLength: 24 }), (members) => {
      const types = members.map(([type]) => type)
      const values = members.map(([, value]) => value)
      const wanted = encodeAbiParameters(
        types.map((type) => ({ type })),
        values,
      )
      assert.equal(bytesToHex(staticEncoder(types)(values)), wanted)
    }),
  )
})

test('a value that its type cannot hold is refused', () => {
  const wrong: [StaticType, StaticValue][] = [
    ['uint8', 256],
    ['uint8', -1],
    ['uint64', 2n ** 64n],
    ['uint128', 2n ** 128n],
    ['uint256', 2n ** 256n],
    ['uint64', '0x01'],
    ['bytes32', '0x01'],
    ['bytes32', `0x${'g'.repeat(64)}` as Hex],
    ['bytes32', `0x${'é'.repeat(64)}` as Hex],
    ['bytes32', 1n],
    ['address', `0x${'00'.repeat(32)}`],
  ]
  for (const [type, value] of wrong) {
    assert.throws(
      () => staticEncoder([type])([value]),
      (error) => error instanceof AssayError && error.code === 'out_of_range',
      `${type} ${value}`,
    )
  }
  assert.throws(() => staticEncoder(['uint8'])([]), TypeError)
})
