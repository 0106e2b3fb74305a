import fc from 'fast-check'
import type { Address, Hex } from 'viem'
import {
  type BatchEntry,
  type Deployment,
  RECEIPT_FIELDS,
  type Receipt,
  type RequestAuth,
  type SignedReceipt,
} from '../../src/index.ts'

/** Lower-case hex of a fixed number of bytes. */
export function hexOf(bytes: number): fc.Arbitrary<Hex> {
  return fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((array): Hex => `0x${Buffer.from(array).toString('hex')}`)
}

export const bytes32 = hexOf(32)
export const address: fc.Arbitrary<Address> = hexOf(20)
export const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
export const uint128 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })

const BY_TYPE = { uint8: fc.integer({ min: 0, max: 255 }), uint64, uint128, address, bytes32 } as const

/** Any receipt that fits its widths, whether or not its rules hold. */
export const anyReceipt: fc.Arbitrary<Receipt> = fc
  .tuple(
    ...RECEIPT_FIELDS.map(({ name, type }) =>
      (BY_TYPE[type] as fc.Arbitrary<unknown>).map((value) => [name, value] as const),
    ),
  )
  .map((entries) => Object.fromEntries(entries) as Receipt)

export const anySigned: fc.Arbitrary<SignedReceipt> = fc.record(
  { receipt: anyReceipt, signature: hexOf(65) },
  { noNullPrototype: true },
)

export const deployment: fc.Arbitrary<Deployment> = fc.record(
  { chainId: fc.integer({ min: 1, max: 2 ** 31 }), settlement: address, deploymentId: bytes32 },
  { noNullPrototype: true },
)

/** Receipts whose payers, models and nodes come from small sets, so that rows of several sizes arise. */
export function receiptsOf(minLength: number, maxLength: number): fc.Arbitrary<BatchEntry[]> {
  const two = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 2, maxLength: 2 })
  const sets = fc.record({
    payers: two(address),
    models: two(bytes32),
    nodes: two(address),
    grants: two(bytes32),
  })
  return sets.chain(({ payers, models, nodes, grants }) => {
    const shared = fc.record({
      payer: fc.constantFrom(...payers),
      modelId: fc.constantFrom(...models),
      node: fc.constantFrom(...nodes),
      priceVersion: fc.bigInt({ min: 1n, max: 2n }),
      price: fc.bigInt({ min: 0n, max: 10n ** 24n }),
      valueAtRisk: fc.bigInt({ min: 0n, max: 10n ** 24n }),
    })
    const grant = fc.record({ id: fc.constantFrom(...grants), counter: uint64 }, { noNullPrototype: true })
    const one = fc
      .tuple(anySigned, shared, fc.option(grant, { nil: undefined }))
      .map(([signed, fields, grant]) => {
        const entry = { ...signed, receipt: { ...signed.receipt, ...fields } }
        return grant === undefined ? entry : { ...entry, grant }
      })
    return fc.uniqueArray(one, { minLength, maxLength, selector: (signed) => signed.receipt.requestId })
  })
}

export const requestAuth: fc.Arbitrary<RequestAuth> = fc.record(
  {
    requestId: bytes32,
    requestHash: bytes32,
    modelId: bytes32,
    maxPrice: uint128,
    committer: address,
    deadline: uint64,
  },
  { noNullPrototype: true },
)
