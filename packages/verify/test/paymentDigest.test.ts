import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPG_DOMAIN, PERMIT2_ADDRESS } from '@assay/protocol'
import fc from 'fast-check'
import { type Address, type Hex, hashTypedData, toHex } from 'viem'
import { permitDigest, transferDigest } from '../src/paymentDigest.ts'

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => toHex(value))
const address = bytes(20) as fc.Arbitrary<Address>
const word = fc.bigInt(0n, 2n ** 256n - 1n)
const uint256 = <Name extends string>(name: Name) => ({ name, type: 'uint256' }) as const
const account = <Name extends string>(name: Name) => ({ name, type: 'address' }) as const

test('the digests of payments are those of a general EIP-712 hasher', () => {
  const transfer = fc.record({
    ...{ from: address, to: address, value: word, validAfter: word, validBefore: word },
    nonce: bytes(32) as fc.Arbitrary<Hex>,
  })
  const permit = fc.record({
    permitted: fc.record({ token: address, amount: word }),
    ...{ spender: address, nonce: word, deadline: word },
    witness: fc.record({ to: address, facilitator: address, validAfter: word }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), address, transfer, permit, (chainId, token, t, p) => {
      const exact = hashTypedData({
        domain: { ...OPG_DOMAIN, chainId, verifyingContract: token },
        types: {
          TransferWithAuthorization: [
            account('from'),
            account('to'),
            uint256('value'),
            uint256('validAfter'),
            uint256('validBefore'),
            { name: 'nonce', type: 'bytes32' },
          ],
        },
        primaryType: 'TransferWithAuthorization',
        message: t,
      })
      assert.equal(transferDigest(chainId, token, t), exact)
      const upto = hashTypedData({
        domain: { name: 'Permit2', chainId, verifyingContract: PERMIT2_ADDRESS },
        types: {
          PermitWitnessTransferFrom: [
            { name: 'permitted', type: 'TokenPermissions' },
            account('spender'),
            uint256('nonce'),
            uint256('deadline'),
            { name: 'witness', type: 'Witness' },
          ],
          TokenPermissions: [account('token'), uint256('amount')],
          Witness: [account('to'), account('facilitator'), uint256('validAfter')],
        },
        primaryType: 'PermitWitnessTransferFrom',
        message: p,
      })
      assert.equal(permitDigest(chainId, p), upto)
    }),
    { numRuns: 60 },
  )
})
