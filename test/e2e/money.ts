import { publicClientOf } from '@assay/chain'
import {
  inferenceEscrowAbi,
  larger,
  type Network,
  opgAbi,
  type SignedReceipt,
  smaller,
} from '@assay/protocol'
import { createAssay } from '@assay/sdk'
import type { Address, Hex } from 'viem'
import { until } from '../until.ts'

/** OPG base units, at one block. */
export type Money = { balance: bigint; credit: bigint; block: bigint }

export async function moneyOf(network: Network, payer: Address): Promise<Money> {
  const client = publicClientOf(network)
  const { OPG, InferenceEscrow } = network.contracts
  const block = await client.getBlockNumber()
  const [balance, credit] = await Promise.all([
    client.readContract({
      address: OPG,
      abi: opgAbi,
      functionName: 'balanceOf',
      args: [payer],
      blockNumber: block,
    }),
    client.readContract({
      address: InferenceEscrow,
      abi: inferenceEscrowAbi,
      functionName: 'credit',
      args: [payer],
      blockNumber: block,
    }),
  ])
  return { balance, credit, block }
}

type Mined = { transactionHash: Hex; blockHash: Hex }

type ChainPayments = {
  /** Amounts that went into escrow, by request. */
  locked: Map<Hex, bigint[]>
  /** Prices that were paid out, by request. */
  settled: Map<Hex, bigint[]>
}

/** What became of a payer's money since a moment before. */
export type Spending = ChainPayments & { before: Money; after: Money }

export async function spendingSince(network: Network, payer: Address, before: Money): Promise<Spending> {
  const after = await moneyOf(network, payer)
  return { before, after, ...(await paymentsOnChain(network, payer, before.block + 1n, after.block)) }
}

/** What became of the money of several payers, as if they were one. */
export function together(spendings: readonly Spending[]): Spending {
  const sum = (moments: readonly Money[]): Money => ({
    balance: moments.reduce((total, { balance }) => total + balance, 0n),
    credit: moments.reduce((total, { credit }) => total + credit, 0n),
    block: moments.reduce((last, { block }) => larger(block, last), 0n),
  })
  return {
    before: sum(spendings.map(({ before }) => before)),
    after: sum(spendings.map(({ after }) => after)),
    // A payment locked has one payer; what is paid out names none, so that each of them was told of all.
    locked: new Map(spendings.flatMap(({ locked }) => [...locked])),
    settled: new Map(spendings.flatMap(({ settled }) => [...settled])),
  }
}

/** Blocks whose events are asked for at once: of more, an answer grows beyond what viem reads. */
const RANGE = 50n

/**
 * Every payment of a payer that the chain's events tell of, from one block to another. A transaction counts once: anvil, told
 * to reorganise while it mines, may leave one in two blocks of the same chain, though its nonce lets it act but once.
 */
export async function paymentsOnChain(
  network: Network,
  payer: Address,
  fromBlock: bigint,
  toBlock?: bigint | undefined,
): Promise<ChainPayments> {
  const client = publicClientOf(network)
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const last = toBlock ?? (await client.getBlockNumber())
  const locked = new Map<Hex, bigint[]>()
  const settled = new Map<Hex, bigint[]>()
  const blockOf = new Map<Hex, Hex>()
  const add = (to: Map<Hex, bigint[]>, event: Mined, requestId: Hex, amount: bigint) => {
    const { transactionHash, blockHash } = event
    if (blockHash !== (blockOf.get(transactionHash) ?? blockHash)) return
    blockOf.set(transactionHash, blockHash)
    to.set(requestId, [...(to.get(requestId) ?? []), amount])
  }
  for (let from = fromBlock; from <= last; from += RANGE) {
    const range = { fromBlock: from, toBlock: smaller(from + RANGE - 1n, last), strict: true } as const
    const [lockedEvents, settledEvents] = await Promise.all([
      client.getContractEvents({ ...escrow, ...range, eventName: 'PaymentLocked', args: { payer } }),
      client.getContractEvents({ ...escrow, ...range, eventName: 'PaymentSettled' }),
    ])
    for (const event of lockedEvents) add(locked, event, event.args.requestId, event.args.amount)
    for (const event of settledEvents) add(settled, event, event.args.requestId, event.args.price)
  }
  return { locked, settled }
}

/** Buys one short answer and verifies it. */
export async function buy(on: Network, privateKey: Hex): Promise<SignedReceipt> {
  const { llm } = createAssay({ network: on, privateKey })
  const messages = [{ role: 'user', content: 'Hello.' }]
  const model = on.models[0]?.name ?? ''
  const { bundle } = await llm.chat({ model, messages, max_tokens: 8, wait: 'answer' })
  return { receipt: bundle.receipt, signature: bundle.signature }
}

/** Resolves once the gateway calls the receipt final and its payment settled. */
export async function settled(on: Network, requestId: Hex): Promise<void> {
  let last = ''
  await until(
    async () => {
      const response = await fetch(`${on.gatewayUrl}/v1/receipts/${requestId}`)
      last = await response.text()
      const status = JSON.parse(last) as { state: string; payment?: { state: string } }
      return status.state === 'final' && status.payment?.state === 'settled'
    },
    () => `${requestId} to be final and settled, it is ${last.slice(0, 200)}`,
  )
}
