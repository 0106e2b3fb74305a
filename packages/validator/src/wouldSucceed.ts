import { type Abi, type Address, BaseError, ContractFunctionRevertedError, type PublicClient } from 'viem'

/** A call of a contract, as it is sent. */
export type ContractCall = {
  address: Address
  abi: Abi
  functionName: string
  args: readonly unknown[]
}

/** Whether a contract refused; anything else that goes wrong with a call says nothing about it. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof BaseError &&
    error.walk((cause) => cause instanceof ContractFunctionRevertedError) instanceof
      ContractFunctionRevertedError
  )
}

/** Whether a call would go through now; a revert is an answer, anything else an error. */
export async function wouldSucceed(
  client: PublicClient,
  call: ContractCall,
  from: Address,
): Promise<boolean> {
  try {
    const { address, abi, functionName, args } = call
    await client.simulateContract({ address, abi, functionName, args, account: from })
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
