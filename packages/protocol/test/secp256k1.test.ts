/** The three implementations behind `#secp256k1` must be one function: signatures decide who is slashed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, recoverAddress } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { compiled, secp256k1 as native } from '../src/secp256k1/node.ts'
import { secp256k1 as portable } from '../src/secp256k1/portable.ts'
import { recoverSigner, signDigest } from '../src/signature.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
/** Below the group order, and not zero. */
const privateKeys = bytes32.map((bytes) => Uint8Array.of(1, ...bytes.subarray(1)))

/** What an implementation recovers, with a refusal in either form as null. */
function recovered(
  implementation: typeof native,
  digest: Uint8Array,
  compact: Uint8Array,
  recoveryId: 0 | 1,
): string | null {
  try {
    const key = implementation.recover(digest, compact, recoveryId)
    return key === null ? null : bytesToHex(key)
  } catch {
    return null
  }
}

test('the native library is here, where its package brings one', () => {
  const brought = ['linux-x64', 'darwin-arm64', 'win32-x64'].includes(`${process.platform}-${process.arch}`)
  assert.equal(native === compiled, !brought)
})

test('all sign the same bytes (RFC 6979), which are those of an independent signer', async () => {
  await fc.assert(
    fc.asyncProperty(bytes32, privateKeys, async (digest, key) => {
      const ours = native.sign(digest, key)
      for (const other of [compiled, portable]) {
        const theirs = other.sign(digest, key)
        assert.deepEqual(
          [bytesToHex(ours.signature), ours.recoveryId],
          [bytesToHex(theirs.signature), theirs.recoveryId],
        )
      }
      const [hash, privateKey] = [bytesToHex(digest), bytesToHex(key)]
      assert.equal(await signDigest(hash, privateKey), await sign({ hash, privateKey, to: 'hex' }))
    }),
    { numRuns: 50 },
  )
})

test('all recover the same key from honest signatures', async () => {
  await fc.assert(
    fc.asyncProperty(bytes32, privateKeys, async (digest, key) => {
      const [hash, privateKey] = [bytesToHex(digest), bytesToHex(key)]
      const signature = await signDigest(hash, privateKey)
      const signer = privateKeyToAccount(privateKey).address
      assert.equal(await recoverSigner(hash, signature), signer.toLowerCase())
      assert.equal(await recoverAddress({ hash, signature }), signer)
    }),
    { numRuns: 50 },
  )
})

test('all refuse or recover alike from arbitrary bytes', () => {
  const compacts = fc.oneof(
    fc.uint8Array({ minLength: 64, maxLength: 64 }),
    fc.constantFrom(
      new Uint8Array(64),
      new Uint8Array(64).fill(0xff),
      Uint8Array.of(...new Uint8Array(63), 1),
    ),
  )
  fc.assert(
    fc.property(bytes32, compacts, fc.constantFrom(0 as const, 1 as const), (digest, compact, id) => {
      for (const other of [compiled, portable]) {
        assert.equal(recovered(native, digest, compact, id), recovered(other, digest, compact, id))
      }
    }),
    { numRuns: 300 },
  )
})
