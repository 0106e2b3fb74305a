import {
  type BatchEntry,
  deploymentOf,
  type GrantCall,
  priceOf,
  receiptDigest,
  signDigest,
  tag,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { LOCAL_PRICE, type LocalNetwork } from '../localNetwork.ts'
import { sampleReceipt } from '../sampleReceipts.ts'

const NODE_KEY = tag('bench node key')

/** Who pays for an answer, and how. */
export type PaidBy = { requestId: Hex; payer: Address; grant?: GrantCall | undefined }

/** `count` answers of the network's node, as its enclave would sign them. */
export function signReceipts(
  local: LocalNetwork,
  count: number,
  paidBy: (at: number) => PaidBy,
): Promise<BatchEntry[]> {
  const deployment = deploymentOf(local.network)
  const price = priceOf(LOCAL_PRICE, { inputUnits: 40n, outputUnits: 100n, failed: false })
  const terms = {
    node: local.network.nodes[0]?.operator.toLowerCase() as Address,
    key: privateKeyToAddress(NODE_KEY).toLowerCase() as Address,
    committer: local.gateway.address.toLowerCase() as Address,
    modelId: local.modelId,
    price,
  }
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const { requestId, payer, grant } = paidBy(at)
      const receipt = { ...sampleReceipt(at), ...terms, requestId, payer }
      const signature = await signDigest(receiptDigest(receipt, deployment), NODE_KEY)
      return { receipt, signature, grant }
    }),
  )
}
