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
  return (await refusalOf(client, call, from)) === undefined
}

/** Name of the error by which a contract would refuse a call now, '' where it has none; undefined where it would not. */
export async function refusalOf(
  client: PublicClient,
  call: ContractCall,
  from: Address,
): Promise<string | undefined> {
  try {
    const { address, abi, functionName, args } = call
    await client.simulateContract({ address, abi, functionName, args, account: from })
    return undefined
  } catch (error) {
    if (!isRefusal(error)) throw error
    const reverted = (error as BaseError).walk((cause) => cause instanceof ContractFunctionRevertedError)
    return (reverted as ContractFunctionRevertedError).data?.errorName ?? ''
  }
}
