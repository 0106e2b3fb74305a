import { publicClientOf } from '@assay/chain'
import { inferenceEscrowAbi, type Network } from '@assay/protocol'
import { BaseError, ContractFunctionRevertedError, encodeFunctionData, type Hex } from 'viem'
import { paymentOf } from '../../faults/payments.ts'

/**
 * When a locked payment may be sent back for want of a final batch, and what then comes back: asked of the contract as it
 * would answer at that time, since a scene does not wait for it.
 * @throws Error where it can be sent back already, or not even then
 */
export async function refundDue(
  network: Network,
  requestId: Hex,
): Promise<{ dueAt: Date; returned: bigint }> {
  const client = publicClientOf(network)
  const call = {
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'refundTimeout',
    args: [[requestId]],
  } as const
  const refusal = await client.simulateContract(call).then(
    () => undefined,
    (error: unknown) => error,
  )
  const reverted =
    refusal instanceof BaseError && refusal.walk((cause) => cause instanceof ContractFunctionRevertedError)
  const data = reverted instanceof ContractFunctionRevertedError ? reverted.data : undefined
  if (data?.errorName !== 'RefundNotDue') throw refusal ?? new Error('the payment can be sent back already')
  const [, dueAt] = data.args as readonly [Hex, bigint]
  await client.call({
    to: call.address,
    data: encodeFunctionData(call),
    blockOverrides: { time: dueAt },
  })
  const { amount } = await paymentOf(network, requestId)
  return { dueAt: new Date(Number(dueAt) * 1000), returned: amount }
}
