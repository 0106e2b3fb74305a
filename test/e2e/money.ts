import { publicClientOf } from '@assay/chain'
import { inferenceEscrowAbi, type Network, opgAbi, type SignedReceipt } from '@assay/protocol'
import { createAssay } from '@assay/sdk'
import type { Address, Hex } from 'viem'
import { until } from './localNetwork.ts'

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

/** Every payment of a payer that the chain's events tell of, from one block to another. */
export async function paymentsOnChain(
  network: Network,
  payer: Address,
  fromBlock: bigint,
  toBlock?: bigint | undefined,
): Promise<ChainPayments> {
  const client = publicClientOf(network)
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const range = { fromBlock, toBlock: toBlock ?? ('latest' as const) }
  const [lockedEvents, settledEvents] = await Promise.all([
    client.getContractEvents({ ...escrow, ...range, eventName: 'PaymentLocked', args: { payer } }),
    client.getContractEvents({ ...escrow, ...range, eventName: 'PaymentSettled' }),
  ])
  const locked = new Map<Hex, bigint[]>()
  const settled = new Map<Hex, bigint[]>()
  const add = (to: Map<Hex, bigint[]>, requestId: Hex | undefined, amount: bigint | undefined) => {
    if (requestId === undefined || amount === undefined) throw new Error('an event without its arguments')
    to.set(requestId, [...(to.get(requestId) ?? []), amount])
  }
  for (const { args } of lockedEvents) add(locked, args.requestId, args.amount)
  for (const { args } of settledEvents) add(settled, args.requestId, args.price)
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
    60_000,
    () => `${requestId} to be final and settled, it is ${last.slice(0, 200)}`,
  )
}
