/** 65 bytes r ‖ s ‖ v, low s (EIP-2), v 27 or 28: one signature has one form. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Hex, toHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { AssayError, recoverSigner, signDigest } from '../src/index.ts'
import { bytes32 } from './support/arbitraries.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const privateKey = fc.bigInt({ min: 1n, max: ORDER - 1n }).map((key) => toHex(key, { size: 32 }))
const bad = (error: unknown) => error instanceof AssayError && error.code === 'bad_signature'

const parts = (signature: Hex) => ({
  r: BigInt(`0x${signature.slice(2, 66)}`),
  s: BigInt(`0x${signature.slice(66, 130)}`),
  v: Number.parseInt(signature.slice(130), 16),
})
function join(r: bigint, s: bigint, v: number): Hex {
  return `${toHex(r, { size: 32 })}${toHex(s, { size: 32 }).slice(2)}${toHex(v, { size: 1 }).slice(2)}` as Hex
}

test('a signature recovers its key, and no other digest does', async () => {
  await fc.assert(
    fc.asyncProperty(privateKey, bytes32, bytes32, async (key, digest, other) => {
      const signature = await signDigest(digest, key)
      const signer = privateKeyToAddress(key).toLowerCase()
      assert.match(signature, /^0x[0-9a-f]{128}1[bc]$/)
      assert.equal(await recoverSigner(digest, signature), signer)
      fc.pre(other !== digest)
      assert.notEqual(await recoverSigner(other, signature), signer)
    }),
    { numRuns: 15 },
  )
})

test('signing twice gives the same bytes (RFC 6979)', async () => {
  const digest: Hex = `0x${'5a'.repeat(32)}`
  assert.equal(
    await signDigest(digest, toHex(7n, { size: 32 })),
    await signDigest(digest, toHex(7n, { size: 32 })),
  )
})

test('the high-s twin of a valid signature is refused', async () => {
  await fc.assert(
    fc.asyncProperty(privateKey, bytes32, async (key, digest) => {
      const { r, s, v } = parts(await signDigest(digest, key))
      assert.ok(s <= ORDER / 2n)
      await assert.rejects(recoverSigner(digest, join(r, ORDER - s, v === 27 ? 28 : 27)), bad)
      await assert.rejects(recoverSigner(digest, join(r, ORDER - s, v)), bad)
    }),
    { numRuns: 15 },
  )
})

test('v of 0, 1, EIP-155 or anything but 27 and 28 is refused', async () => {
  const digest: Hex = `0x${'5a'.repeat(32)}`
  const { r, s } = parts(await signDigest(digest, toHex(7n, { size: 32 })))
  for (const v of [0, 1, 2, 3, 26, 29, 30, 35, 36, 37, 38, 255]) {
    await assert.rejects(recoverSigner(digest, join(r, s, v)), bad, String(v))
  }
})

test('a signature of another length, case or range is refused', async () => {
  const digest: Hex = `0x${'5a'.repeat(32)}`
  const signature = await signDigest(digest, toHex(7n, { size: 32 }))
  const { r, s, v } = parts(signature)
  const twisted: Hex[] = [
    '0x',
    signature.slice(0, -2) as Hex,
    `${signature}00`,
    signature.toUpperCase().replace('0X', '0x') as Hex,
    signature.slice(2) as Hex,
    ` ${signature}` as Hex,
    `${signature}\n` as Hex,
    join(0n, s, v),
    join(r, 0n, v),
    join(ORDER, s, v),
    join(2n ** 256n - 1n, s, v),
    join(r, ORDER / 2n + 1n, v),
  ]
  for (const form of twisted) await assert.rejects(recoverSigner(digest, form), bad, form)
})

test('a changed byte never recovers the same signer', async () => {
  const digest: Hex = `0x${'5a'.repeat(32)}`
  const key = toHex(9n, { size: 32 })
  const signature = await signDigest(digest, key)
  for (let at = 2; at < signature.length; at++) {
    const character = signature[at] === 'f' ? '0' : 'f'
    const changed = (signature.slice(0, at) + character + signature.slice(at + 1)) as Hex
    const signer = await recoverSigner(digest, changed).catch((error: unknown) => {
      assert.ok(bad(error))
      return undefined
    })
    assert.notEqual(signer, privateKeyToAddress(key).toLowerCase())
  }
})
