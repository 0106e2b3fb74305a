/** An honest batch never yields a fault; each way of changing one yields a fault of its class, and says which batch is void. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Batch,
  type BatchEntry,
  buildBatch,
  canonicalJsonBytes,
  FAULT_CLASS,
  type Group,
  type GroupHeader,
  grantIdOf,
  grantRequestId,
  groupHeaders,
  type Json,
  nodeEquivocationKey,
  nodeEquivocationProof,
  overchargeKey,
  parseCanonicalJson,
  type Receipt,
  type SpendingGrant,
  statedBatch,
} from '@assay/protocol'
import type { BatchView, ChainView } from '@assay/verify'
import fc from 'fast-check'
import { type Address, type Hex, keccak256, toHex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { headerWithLie, type NodePlace, placesIn } from '../../../test/faults/lyingTree.ts'
import { rootOver } from '../../../test/faults/rootOver.ts'
import {
  committedView,
  deployment,
  escrow,
  gateway,
  issuedAt,
  makeReceipt,
  makeView,
  payer,
  signReceipt,
} from '../../verify/test/world.ts'
import type { ReceiptMemory } from '../src/faults/equivocations.ts'
import { type Findings, findFaults } from '../src/faults/findFaults.ts'

const RUNS = { numRuns: 12 }
const STRANGER: Address = `0x${'5a'.repeat(20)}`
const grantOf = (by: Address, nonce: bigint): SpendingGrant => ({
  payer: by,
  gateway,
  maxTotal: 10n ** 18n,
  maxPerCall: 10n ** 18n,
  ratePerHour: 0n,
  models: [],
  nodes: [],
  expiry: issuedAt + 3600n,
  nonce,
})
const grants = new Map(
  [payer, STRANGER]
    .flatMap((by) => [grantOf(by, 0n), grantOf(by, 1n)])
    .map((grant) => [grantIdOf(grant, deployment), grant]),
)
const account = { funded: 10n ** 18n, spent: 0n, revokedAt: 0n, opened: true }

/** What the chain says about the grant of an entry. */
function grantView({ grant: call }: BatchEntry): ChainView['grant'] {
  const grant = call && grants.get(call.id)
  return grant === undefined ? null : { grant, account, settledRows: null }
}
const nothing: ReceiptMemory = { under: () => [], sameCall: () => Promise.resolve(undefined) }

/** What one call is like: who pays, under which grant if any, at which price version. */
type Call = { stranger: boolean; grant: 0 | 1 | undefined; priceVersion: bigint; delivered: boolean }
const call: fc.Arbitrary<Call> = fc.record({
  stranger: fc.boolean(),
  grant: fc.constantFrom(undefined, 0, 1),
  priceVersion: fc.constantFrom(1n, 2n),
  delivered: fc.boolean(),
})
const calls = fc.array(call, { minLength: 2, maxLength: 7 })

/** The honest receipt of the call at a place; its place under the grant, and its number, are its own. */
async function entryOf(given: Call, at: number, changes: Partial<Receipt> = {}): Promise<BatchEntry> {
  const by = given.stranger ? STRANGER : payer
  const grant =
    given.grant === undefined
      ? undefined
      : { id: grantIdOf(grantOf(by, BigInt(given.grant)), deployment), counter: BigInt(at) }
  const requestId =
    grant === undefined
      ? toHex(at + 1, { size: 32 })
      : grantRequestId({ chainId: deployment.chainId, escrow, payer: by, grant })
  const empty = given.delivered ? {} : { outputUnits: 0n, price: 0n }
  const receipt = makeReceipt({
    seq: BigInt(at + 1),
    payer: by,
    requestId,
    priceVersion: given.priceVersion,
    ...empty,
  })
  const signed = await signReceipt({ ...receipt, ...changes })
  return grant === undefined ? signed : { ...signed, grant }
}

const entriesOf = (list: readonly Call[]) => Promise.all(list.map((one, at) => entryOf(one, at)))

function batchOf(receipts: readonly BatchEntry[], height = 4n): Batch {
  return buildBatch({ deployment, committer: gateway, height, receipts })
}

function find(
  batch: Batch,
  options: {
    chain?: Partial<BatchView>
    view?: Partial<ChainView>
    groups?: readonly GroupHeader[]
    memory?: Partial<ReceiptMemory>
  } = {},
): Promise<Findings> {
  return findFaults({
    deployment,
    escrow,
    batch: committedView(batch, options.chain),
    file: batch.file,
    groups: () => Promise.resolve(options.groups ?? groupHeaders(batch)),
    read: (signed) => Promise.resolve(makeView({ grant: grantView(signed), ...options.view })),
    memory: { ...nothing, ...options.memory },
  })
}

const names = ({ faults }: Findings) => faults.map(({ faultClass, faultKey }) => [faultClass, faultKey])

/** The file with its rows changed, as a committer would build its tree from it. */
function withRows(batch: Batch, change: (rows: { [name: string]: Json }[]) => void): Batch {
  const file = parseCanonicalJson(batch.file, batch.file.length) as { rows: { [name: string]: Json }[] }
  change(file.rows)
  return statedBatch(canonicalJsonBytes(file))
}

function replaced(entries: readonly BatchEntry[], at: number, entry: BatchEntry): Batch {
  return batchOf(entries.with(at % entries.length, entry))
}

/** Runs the check on honest batches and one of their places. */
function onEach(check: (entries: BatchEntry[], at: number, list: Call[]) => Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(calls, fc.nat(), async (list, place) => {
      await check(await entriesOf(list), place % list.length, list)
    }),
    RUNS,
  )
}

test('an honest batch yields nothing, also when it is batched again after a void one', async () => {
  await onEach(async (entries) => {
    const batch = batchOf(entries)
    assert.deepEqual(await find(batch), { faults: [], invalid: undefined })
    const seen = {
      under: (_: Hex, { key, seq }: Receipt) =>
        entries
          .filter(({ receipt }) => receipt.key === key && receipt.seq === seq)
          .map((entry) => ({ batch, entry })),
    }
    assert.deepEqual(await find(batch, { memory: seen }), { faults: [], invalid: undefined })
  })
})

test('class 1: a changed member, another signer, a spoiled signature', async () => {
  const changes: Partial<Receipt>[] = [
    { responseHash: keccak256('0x77') },
    { valueAtRisk: 9n },
    { seq: 99n },
    { payer: gateway },
    { issuedAt: issuedAt + 1n },
    { includeBy: 1n },
    { inputUnits: 41n },
  ]
  await onEach(async (entries, at) => {
    const honest = entries[at] as BatchEntry
    const change = changes[at % changes.length] as Partial<Receipt>
    const { signature: other } = await signReceipt(honest.receipt, generatePrivateKey())
    const spoiled = `${honest.signature.slice(0, -2)}1d` as Hex
    const without = { ...honest, grant: undefined }
    for (const bad of [
      { ...without, receipt: { ...honest.receipt, ...change } },
      { ...honest, signature: other },
      { ...honest, signature: spoiled },
    ]) {
      const batch = replaced(entries, at, bad)
      const found = await find(batch)
      assert.deepEqual(names(found), [[FAULT_CLASS.tee, batch.batchId]])
      assert.equal(found.faults[0]?.proofs.length, 1)
      assert.ok(found.invalid)
    }
  })
})

test('class 1: a key that is unknown, ended, another’s; a receipt out of its time. All victims have a proof', async () => {
  const key = makeView().key
  assert.ok(key)
  const views: Partial<ChainView>[] = [
    { key: null },
    { key: { ...key, revokedAt: issuedAt } },
    { key: { ...key, node: gateway } },
    { key: { ...key, bonded: true } },
    { hardware: null },
    { measurement: null },
  ]
  await onEach(async (entries, at) => {
    const batch = batchOf(entries)
    const view = views[at % views.length] as Partial<ChainView>
    for (const options of [
      { view },
      { chain: { committedAt: issuedAt - 6n } },
      { chain: { committedAt: issuedAt + 86_401n } },
    ]) {
      const found = await find(batch, options)
      assert.deepEqual(names(found), [[FAULT_CLASS.tee, batch.batchId]])
      assert.equal(found.faults[0]?.proofs.length, entries.length)
    }
  })
})

test('class 7: a price above its row, signed by the node; below it, it is only wrong', async () => {
  await onEach(async (entries, at, list) => {
    const given = list[at] as Call
    const { receipt } = entries[at] as BatchEntry
    const dear = await entryOf(given, at, { price: receipt.price + 1n })
    const batch = replaced(entries, at, dear)
    assert.deepEqual(names(await find(batch)), [
      [FAULT_CLASS.row, overchargeKey(batch.batchId, receipt.node)],
    ])
    if (receipt.price === 0n) return
    const cheap = await find(replaced(entries, at, await entryOf(given, at, { price: receipt.price - 1n })))
    assert.deepEqual(cheap.faults, [])
    assert.match(cheap.invalid ?? '', /price_differs/)
  })
})

test('class 7: a row that is another’s, a call that its grant does not pay for', async () => {
  await onEach(async (entries, at) => {
    const honest = batchOf(entries)
    for (const [member, value] of [
      ['payer', `0x${'9'.repeat(40)}`],
      ['modelId', keccak256('0x99')],
      ['priceVersion', '7'],
      ['node', `0x${'9'.repeat(40)}`],
    ] as const) {
      const batch = withRows(honest, (rows) => {
        const row = rows[at % rows.length]
        if (row !== undefined) row[member] = value
      })
      assert.deepEqual(names(await find(batch)), [[FAULT_CLASS.row, batch.batchId]])
    }
    const entry = entries[at] as BatchEntry
    if (entry.grant === undefined) return
    const moved = { ...entry, grant: { ...entry.grant, counter: 77n } }
    const batch = replaced(entries, at, moved)
    assert.deepEqual(names(await find(batch)), [[FAULT_CLASS.row, batch.batchId]])
  })
})

test('class 7: a call twice in a batch or in two, and a stranger who batches too early', async () => {
  await onEach(async (entries, at) => {
    const honest = batchOf(entries)
    const entry = entries[at] as BatchEntry
    const { requestId } = entry.receipt
    const twice = withRows(honest, (rows) => {
      for (const row of rows) {
        const list = row.receipts as { receipt: { requestId: string } }[]
        const again = list.filter(({ receipt }) => receipt.requestId === requestId)
        row.receipts = [...list, ...again] as unknown as Json
      }
    })
    const alone = batchOf([entry], 3n)
    const sameCall: ReceiptMemory['sameCall'] = async (_, asked) => (asked === requestId ? alone : undefined)
    const early = { committer: STRANGER, committedAt: issuedAt + 60n }
    const founds = [
      await find(twice),
      await find(honest, { memory: { sameCall } }),
      await find(honest, { chain: early }),
    ]
    const granted = entry.grant !== undefined
    const anyGranted = entries.some(({ grant }) => grant !== undefined)
    assert.deepEqual(names(founds[0] as Findings), granted ? [[FAULT_CLASS.row, twice.batchId]] : [])
    assert.deepEqual(names(founds[1] as Findings), granted ? [[FAULT_CLASS.row, honest.batchId]] : [])
    assert.deepEqual(names(founds[2] as Findings), anyGranted ? [[FAULT_CLASS.row, honest.batchId]] : [])
    assert.ok(founds[2]?.invalid)
    // Seen in the other order, the other batch is the guilty one, and this one stays valid.
    const later = { ...alone, header: { ...alone.header, height: 5n } }
    const found = await find(honest, {
      memory: { sameCall: async (_, asked) => (asked === requestId ? later : undefined) },
    })
    assert.ok(found.faults.every(({ batchId }) => batchId === alone.batchId))
    assert.equal(found.invalid, undefined)
  })
})

test('class 3: one number under two receipts, in this batch or with one seen before; forged ones prove nothing', async () => {
  await onEach(async (entries, at, list) => {
    const honest = batchOf(entries)
    const { receipt } = entries[at] as BatchEntry
    const given = { ...(list[at] as Call), grant: undefined }
    const changes = { seq: receipt.seq, requestId: keccak256('0x33') }
    const other = await entryOf(given, 50, changes)
    const faultKey = nodeEquivocationKey(receipt)
    assert.deepEqual(names(await find(batchOf([...entries, other]))), [[FAULT_CLASS.equivocation, faultKey]])
    const seen = (known: BatchEntry): Partial<ReceiptMemory> => ({
      under: (_, { key, seq }) =>
        key === receipt.key && seq === receipt.seq ? [{ batch: batchOf([known]), entry: known }] : [],
    })
    const found = await find(honest, { memory: seen(other) })
    assert.deepEqual(names(found), [[FAULT_CLASS.equivocation, faultKey]])
    assert.equal(found.faults[0]?.batchId, honest.batchId)
    // The second proof is the other receipt's, in its batch: its payer is made whole too.
    assert.deepEqual(found.faults[0]?.proofs, [
      nodeEquivocationProof(entries[at] as BatchEntry, other, honest),
      nodeEquivocationProof(other, entries[at] as BatchEntry, batchOf([other])),
    ])
    const { signature } = await signReceipt(other.receipt, generatePrivateKey())
    assert.deepEqual((await find(honest, { memory: seen({ ...other, signature }) })).faults, [])
  })
})

test('class 6: a group that lies; and what the file does not hold is demanded, at its place', async () => {
  await onEach(async (entries, at) => {
    const honest = batchOf(entries)
    const headers = groupHeaders(honest)
    const index = at % headers.length
    const header = headers[index] as GroupHeader
    const root = keccak256('0x4242')
    const onChain = { root, batchId: keccak256('0x4343') }
    for (const member of ['sum', 'exposure', 'count'] as const) {
      const groups = headers.with(index, { ...header, [member]: header[member] + 1n })
      assert.deepEqual(names(await find(honest, { chain: onChain, groups })), [
        [FAULT_CLASS.sum, onChain.batchId],
      ])
    }
    const unknown = headers.with(index, { ...header, top: root })
    const found = await find(honest, { chain: onChain, groups: unknown })
    const before = headers.slice(0, index).reduce((sum, { count }) => sum + count, 0n)
    assert.deepEqual([found.faults, found.unshown], [[], before])
    assert.ok(found.invalid)
  })
})

test('class 6: a lie about one node below a group is proven, two that no single one explains are demanded', async () => {
  await onEach(async (entries, at) => {
    const honest = batchOf(entries)
    const group = honest.groups[0] as Group
    const surplus = [
      { sum: 5n, exposure: 0n, count: 0n },
      { sum: 0n, exposure: 9n, count: 0n },
      { sum: 1n, exposure: 1n, count: 1n },
    ][at % 3] as { sum: bigint; exposure: bigint; count: bigint }
    const places = placesIn(group)
    for (const place of places) {
      const groups = groupHeaders(honest).with(0, headerWithLie(group, place, surplus))
      const chain = { root: rootOver(groups), batchId: keccak256('0x4343') }
      assert.deepEqual(names(await find(honest, { chain, groups })), [[FAULT_CLASS.sum, chain.batchId]])
    }
    const [leaf] = places
    const header = headerWithLie(group, leaf as NodePlace, surplus)
    const groups = groupHeaders(honest).with(0, { ...header, sum: header.sum + 1n })
    const found = await find(honest, { chain: { root: rootOver(groups) }, groups })
    assert.deepEqual([found.faults, found.unshown], [[], 0n])
  })
})

test('bytes that are no batch file are invalid, and the first receipt is demanded', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const batch = batchOf(
        await entriesOf([{ stranger: false, grant: undefined, priceVersion: 1n, delivered: true }]),
      )
      const found = await find({ ...batch, file: bytes })
      assert.deepEqual([found.faults, found.unshown], [[], 0n])
      assert.ok(found.invalid)
    }),
    RUNS,
  )
})

test('a batch of nothing but bad receipts keeps nobody busy', async () => {
  const forged = generatePrivateKey()
  const many = await Promise.all(
    Array.from({ length: 80 }, (_, at) => signReceipt(makeReceipt({ seq: BigInt(at + 1) }), forged)),
  )
  const { faults } = await find(batchOf(many))
  assert.equal(faults[0]?.proofs.length, 64)
})
