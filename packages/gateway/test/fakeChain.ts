/** A chain of the test's making: the contracts' rules that the gateway relies on, in memory, with a clock to wind. */
import type { BatchHeader } from '@assay/protocol'
import {
  AssayError,
  batchEntries,
  batchIdOf,
  CHALLENGE_STATE,
  foldInclusion,
  foldSiblings,
  groupNode,
  rowNode,
  SCHEME,
  smaller,
  sumTreeLevels,
} from '@assay/protocol'
import type { DataDemand } from '@assay/store'
import type { GrantAccount } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { DataAnswer } from '../src/chain/dataChallenges.ts'
import {
  type Bond,
  CHAIN_BATCH,
  CHAIN_PAYMENT,
  type ChainBatch,
  type GatewayChain,
  type RowPayment,
} from '../src/chain/gatewayChain.ts'
import { TILL } from './fixtures.ts'

type FakeBatch = ChainBatch & { header: BatchHeader; hash: Hex }
type State = {
  number: bigint
  lastHeight: bigint
  batches: Map<Hex, FakeBatch>
  payments: Map<Hex, { state: number; amount: bigint }>
  accounts: Map<Hex, GrantAccount>
  rows: (RowPayment & { batchId: Hex; rowHash: Hex })[]
  collected: string[]
}

export type FakeChain = GatewayChain & {
  state: State
  till: () => Promise<Address | undefined>
  balances: Map<string, bigint>
  allowance: bigint
  usedNonces: Set<string>
  /** Request ids that escrow refuses to collect. */
  drained: Set<string>
  /** What validators say of a new batch. */
  verdict: 'valid' | 'invalid' | 'silent'
  /** Request ids whose receipts validators refuse. */
  refused: Set<Hex>
  /** What every operator's bond covers, OPG base units. */
  bondCoverage: bigint
  /** Operators whose bond is another. */
  bondsOf: Map<Address, Bond>
  /** What a quorum of validators could lose, OPG base units. */
  quorumStake: bigint
  /** Everybody who is bonded. */
  bonded: { operator: Address; url: string }[]
  /** Keys under which no new receipt counts. */
  revokedKeys: Set<Address>
  /** While true every call fails as if nobody listened. */
  down: boolean
  /** Parts that somebody demanded, what was shown of them, and until when it may be (Unix seconds). */
  demanded: DataDemand[]
  shown: Map<Hex, DataAnswer>
  deadline: bigint
  /** When locked payments may be refunded, Unix seconds. */
  refundDue: bigint
  /** Transactions that took effect, in order. */
  log: string[]
  snapshot(): State
  rollBackTo(state: State): void
}

export function createFakeChain(): FakeChain {
  let opened = false
  let transactions = 0
  const now = (): bigint => BigInt(Math.floor(Date.now() / 1000))
  function hash(): Hex {
    return `0x${(++transactions).toString(16).padStart(64, '0')}`
  }
  function up(): void {
    if (chain.down) throw new AssayError('The chain does not answer.', { code: 'unreachable' })
  }
  function known(batchId: Hex): FakeBatch {
    const batch = chain.state.batches.get(batchId)
    if (batch === undefined) throw new AssayError('UnknownBatch', { code: 'conflict' })
    return batch
  }
  const chain: FakeChain = {
    state: {
      number: 1n,
      lastHeight: 0n,
      batches: new Map(),
      payments: new Map(),
      accounts: new Map(),
      rows: [],
      collected: [],
    },
    balances: new Map(),
    allowance: 10n ** 30n,
    usedNonces: new Set(),
    drained: new Set(),
    verdict: 'valid',
    refused: new Set(),
    bondCoverage: 10n ** 30n,
    bondsOf: new Map(),
    quorumStake: 10n ** 24n,
    bonded: [],
    revokedKeys: new Set(),
    down: false,
    demanded: [],
    shown: new Map(),
    deadline: 2n ** 40n,
    refundDue: 0n,
    log: [],
    snapshot: () => structuredClone(chain.state),
    rollBackTo(state) {
      chain.state = structuredClone(state)
    },
    async till() {
      up()
      return opened ? TILL : undefined
    },
    async openTill() {
      up()
      opened = true
      chain.log.push('openTill')
    },
    async head() {
      up()
      return { number: ++chain.state.number, timestamp: now() }
    },
    async price() {
      up()
      return { perCall: 1n, inputPrice: 1n, outputPrice: 2n }
    },
    async model() {
      up()
      return undefined
    },
    async funds(payer) {
      up()
      return { balance: chain.balances.get(payer.toLowerCase()) ?? 0n, allowance: chain.allowance }
    },
    async nonceUnused(payment) {
      up()
      return !chain.usedNonces.has(payment.paymentNonce)
    },
    async noncesUsedBy() {
      up()
      return { nonces: [...chain.usedNonces] as Hex[], known: { number: 0n, hash: '0x00' } }
    },
    async lastHeight() {
      up()
      return chain.state.lastHeight
    },
    async batches(batchIds) {
      up()
      return batchIds.map(
        (id) =>
          chain.state.batches.get(id) ?? {
            state: 0,
            committedAt: 0n,
            committedBlock: 0n,
            quorumAt: 0n,
            challenges: 0,
          },
      )
    },
    async demands(from, to) {
      up()
      return chain.demanded.filter(({ block }) => block >= from && block <= to)
    },
    async challenge(challengeId) {
      up()
      const answered = chain.shown.has(challengeId)
      return { state: answered ? CHALLENGE_STATE.answered : CHALLENGE_STATE.open, deadline: chain.deadline }
    },
    async answer(challengeId, answer) {
      up()
      if (chain.shown.has(challengeId)) throw new AssayError('NotOpen', { code: 'conflict' })
      chain.shown.set(challengeId, answer)
      return hash()
    },
    async committerOf(batchId) {
      return chain.state.batches.get(batchId)?.header.committer ?? `0x${'00'.repeat(20)}`
    },
    async payments(requestIds) {
      up()
      return requestIds.map((id) => chain.state.payments.get(id) ?? { state: 0 })
    },
    async timing() {
      return { challengeWindow: 0n, attestTimeout: 1n }
    },
    async keyCounts({ key }) {
      up()
      return !chain.revokedKeys.has(key)
    },
    async coverage(operators) {
      up()
      return new Map(operators.map((operator) => [operator, chain.bondCoverage]))
    },
    async bonds(operators) {
      up()
      return new Map(
        operators.map((operator) => [
          operator,
          chain.bondsOf.get(operator) ?? { covered: chain.bondCoverage, open: 0n },
        ]),
      )
    },
    async quorumAtStake() {
      up()
      return chain.quorumStake
    },
    async bondedOperators() {
      up()
      return chain.bonded
    },
    async badReceipts(batch) {
      up()
      const ids = batchEntries(batch).map(({ receipt }) => receipt.requestId)
      return new Map(ids.filter((id) => chain.refused.has(id)).map((id) => [id, 'anchor_differs']))
    },
    async commit(header, groups) {
      up()
      // As the contract does: what the groups lead to is what is committed.
      const summaries = groups.map(({ node, top: hash, ...totals }) => groupNode(node, { hash, ...totals }))
      const top = sumTreeLevels(summaries).at(-1)?.[0]
      if (top?.hash !== header.root) throw new AssayError('The groups lead elsewhere.', { code: 'conflict' })
      if (header.height <= chain.state.lastHeight) throw new AssayError('HeightTaken', { code: 'conflict' })
      const batchId = batchIdOf(header)
      chain.state.lastHeight = header.height
      chain.state.batches.set(batchId, {
        header,
        hash: hash(),
        state:
          chain.verdict === 'valid'
            ? CHAIN_BATCH.attested
            : chain.verdict === 'invalid'
              ? CHAIN_BATCH.void
              : CHAIN_BATCH.committed,
        committedAt: now(),
        committedBlock: chain.state.number,
        quorumAt: now(),
        challenges: 0,
      })
      chain.log.push(`commit:${header.height}`)
      return known(batchId).hash
    },
    async commitTransaction(batchId) {
      up()
      return chain.state.batches.get(batchId)?.hash
    },
    async finalise(batchId) {
      up()
      const batch = known(batchId)
      if (batch.state !== CHAIN_BATCH.attested) throw new AssayError('WrongState', { code: 'conflict' })
      batch.state = CHAIN_BATCH.final
      return hash()
    },
    async expire(batchId) {
      up()
      known(batchId).state = CHAIN_BATCH.expired
      return hash()
    },
    async collect(items, onBroadcast) {
      up()
      const transactionHash = hash()
      onBroadcast?.(transactionHash)
      const rejected = new Map<Hex, string>()
      for (const item of items) {
        if (chain.state.payments.has(item.requestId)) continue
        if (chain.drained.has(item.requestId)) rejected.set(item.requestId, 'ERC20InsufficientBalance')
        else {
          const exact = item.scheme === SCHEME.exact
          const amount = exact ? BigInt(JSON.parse(item.collect).value) : item.amount
          chain.state.payments.set(item.requestId, { state: CHAIN_PAYMENT.locked, amount })
          chain.state.collected.push(item.requestId)
        }
      }
      chain.log.push(`collect:${items.length}`)
      return { transactionHash, rejected }
    },
    async grantAccount(grantId) {
      up()
      return chain.state.accounts.get(grantId) ?? { funded: 0n, spent: 0n, revokedAt: 0n, opened: false }
    },
    async rowPayments(batchId) {
      up()
      return chain.state.rows.filter((row) => row.batchId === batchId)
    },
    async settleRows(batchId, rows) {
      up()
      const batch = known(batchId)
      if (batch.state !== CHAIN_BATCH.final) await chain.finalise(batchId)
      const transactionHash = hash()
      for (const { key, top, rowSiblings, groupSiblings } of rows) {
        const group = groupNode(key.node, foldSiblings(rowNode(key, top), rowSiblings))
        if (foldSiblings(group, groupSiblings).hash !== batch.header.root) {
          throw new AssayError('NotInBatch', { code: 'conflict' })
        }
        if (chain.state.rows.some((row) => row.batchId === batchId && row.rowHash === top.hash)) continue
        const account = chain.state.accounts.get(key.grantId)
        if (account === undefined) throw new AssayError('NotOpened', { code: 'conflict' })
        const left = account.funded - account.spent
        const price = smaller(top.sum, left)
        account.spent += price
        chain.state.rows.push({
          ...key,
          batchId,
          rowHash: top.hash,
          price,
          unpaid: top.sum - price,
          transactionHash,
        })
      }
      chain.log.push(`settleRows:${rows.length}`)
      return transactionHash
    },
    async refundDueAt() {
      up()
      return chain.refundDue
    },
    async refund(requestId) {
      up()
      const payment = chain.state.payments.get(requestId)
      if (payment?.state !== CHAIN_PAYMENT.locked) throw new AssayError('NotLocked', { code: 'conflict' })
      if (now() < chain.refundDue) throw new AssayError('RefundNotDue', { code: 'conflict' })
      payment.state = CHAIN_PAYMENT.refunded
      return hash()
    },
    takings: async () => 0n,
    passOn: async () => hash(),
    async settle(items) {
      up()
      for (const { entry, path, batchId } of items) {
        const batch = known(batchId)
        const folded = foldInclusion(entry, path)
        if (batch.state !== CHAIN_BATCH.final || folded.hash !== batch.header.root) {
          throw new AssayError('NotInBatch', { code: 'conflict' })
        }
        const payment = chain.state.payments.get(entry.receipt.requestId)
        if (payment?.state === CHAIN_PAYMENT.locked) payment.state = CHAIN_PAYMENT.paid
      }
      return { transactionHash: hash(), skipped: new Map() }
    },
  }
  return chain
}
