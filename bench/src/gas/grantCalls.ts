import { createSender } from '@assay/chain'
import {
  assayDomain,
  type BatchEntry,
  deploymentOf,
  grantIdOf,
  grantRequestId,
  opgAbi,
  SPENDING_GRANT_TYPES,
  type SpendingGrant,
  spendingGrantsAbi,
  tag,
} from '@assay/protocol'
import { type Address, type Hex, maxUint256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { LocalNetwork } from '../localNetwork.ts'
import { signReceipts } from './receipts.ts'
import { DEPOSITED, SCENARIO } from './scenario.ts'

export type OpenGrant = { id: Hex; payer: Address }

/** Opens and funds one grant for each of `count` payers, by their signatures; the demo payer brings the money. */
export async function openGrants(local: LocalNetwork, count: number): Promise<OpenGrant[]> {
  const { network, payerKey } = local
  const address = network.contracts.SpendingGrants
  const funder = createSender({ network, privateKey: payerKey })
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  await funder.send({ ...token, functionName: 'approve', args: [address, maxUint256] })
  const amount = DEPOSITED / BigInt(count)
  const deployment = deploymentOf(network)
  const expiry = BigInt(Math.floor(Date.now() / 1000) + 86_400)
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const account = privateKeyToAccount(tag(`bench payer ${at} of ${count}`))
      const grant: SpendingGrant = {
        payer: account.address,
        gateway: local.gateway.address,
        maxTotal: amount,
        maxPerCall: amount,
        ratePerHour: 0n,
        models: [],
        nodes: [],
        expiry,
        nonce: BigInt(count),
      }
      const signature = await account.signTypedData({
        domain: assayDomain(deployment),
        types: SPENDING_GRANT_TYPES,
        primaryType: 'SpendingGrant',
        message: grant,
      })
      const args = [grant, signature, amount]
      await funder.send({ address, abi: spendingGrantsAbi, functionName: 'open', args })
      return { id: grantIdOf(grant, deployment), payer: account.address.toLowerCase() as Address }
    }),
  )
}

/** The answers of a batch, spread evenly over the grants. */
export function callsUnder(local: LocalNetwork, grants: readonly OpenGrant[]): Promise<BatchEntry[]> {
  const { chainId, contracts } = local.network
  return signReceipts(local, SCENARIO.inferences, (at) => {
    const { id, payer } = grants[at % grants.length] as OpenGrant
    const grant = { id, counter: BigInt(Math.floor(at / grants.length) + 1) }
    return {
      requestId: grantRequestId({ chainId, escrow: contracts.InferenceEscrow, payer, grant }),
      payer,
      grant,
    }
  })
}
