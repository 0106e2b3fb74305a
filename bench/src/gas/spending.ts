import type { TransactionReceipt } from 'viem'
import type { LocalNetwork } from '../localNetwork.ts'
import { l1Bytes } from './l1Bytes.ts'

/** Gas used, and bytes that count for the L1 data fee. */
export type Spending = { gas: number; bytes: number }

export async function spendingOf(local: LocalNetwork, ...receipts: TransactionReceipt[]): Promise<Spending> {
  const bytes = await Promise.all(receipts.map((receipt) => l1Bytes(local, receipt.transactionHash)))
  return sumOf(receipts.map((receipt, at) => ({ gas: Number(receipt.gasUsed), bytes: bytes[at] ?? 0 })))
}

export function sumOf(spendings: readonly Spending[]): Spending {
  return spendings.reduce((sum, { gas, bytes }) => ({ gas: sum.gas + gas, bytes: sum.bytes + bytes }), {
    gas: 0,
    bytes: 0,
  })
}

export function perInference({ gas, bytes }: Spending, inferences: number): Spending {
  return { gas: gas / inferences, bytes: bytes / inferences }
}
