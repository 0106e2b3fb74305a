import { type DevelopmentAccount, publicClientOf } from '@assay/chain'
import { type BatchEntry, modelRegistryAbi, type Network, priceOf, type Receipt } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { payInto } from '../../faults/payments.ts'
import { draftReceipt, signReceipt } from '../../faults/receipts.ts'
import type { CommandResult } from '../localNetwork.ts'
import type { Player } from './liar.ts'

/** Where a scene is played: a running network, and a payer with real money in it. */
export type Stage = {
  network: Network
  payer: DevelopmentAccount
  /** Folder of the root under which its enclaves are simulated. */
  simulatedRoot: string
  /** Runs `assay …`. */
  assay(...args: string[]): Promise<CommandResult>
  /** Says what happens, a sentence at a time. */
  tell(sentence: string): void
  /** Is called when the scene is over and was looked into. */
  atEnd(close: () => void): void
}

/** What the answer of a scene counts. */
export const USAGE = { inputUnits: 20n, outputUnits: 10n }

export type Bill = { modelId: Hex; priceVersion: bigint; price: bigint }

/** What one answer of a model costs now, the network's first by default. */
export async function billFor({ network }: Stage, name = network.models[0]?.name): Promise<Bill> {
  const registry = { address: network.contracts.ModelRegistry, abi: modelRegistryAbi } as const
  const modelId = network.models.find((model) => model.name === name)?.modelId as Hex
  const client = publicClientOf(network)
  const priceVersion = await client.readContract({
    ...registry,
    functionName: 'currentPriceVersion',
    args: [modelId],
  })
  const [perCall, inputPrice, outputPrice] = await client.readContract({
    ...registry,
    functionName: 'priceRow',
    args: [modelId, priceVersion],
  })
  return {
    modelId,
    priceVersion,
    price: priceOf({ perCall, inputPrice, outputPrice }, { ...USAGE, failed: false }),
  }
}

/** The payer pays twice what an answer costs into a till; what is left of it comes back when the answer is settled. */
export async function pay(
  { network, payer }: Stage,
  gateway: Player,
  bill: Bill,
): Promise<{ requestId: Hex; value: bigint }> {
  const value = 2n * bill.price
  const parameters = {
    payerKey: payer.privateKey,
    gateway: gateway.address,
    collector: gateway.sender,
    value,
  }
  return { requestId: await payInto(network, parameters), value }
}

/** A receipt for a paid request, signed by `secret`; all but `change` is as an honest node would write it. */
export async function receiptFor(
  { network, payer }: Stage,
  by: { node: Address; key: Address; secret: Hex; gateway: Player },
  paid: { requestId: Hex; bill: Bill; seq: bigint },
  change: Partial<Receipt> = {},
): Promise<BatchEntry> {
  const { requestId, bill, seq } = paid
  const receipt = await draftReceipt(network, {
    requestId,
    payer: payer.address,
    node: by.node,
    key: by.key,
    seq,
    committer: by.gateway.address,
    ...bill,
    ...USAGE,
    ...change,
  })
  return signReceipt(network, receipt, by.secret)
}
