import {
  type ContractName,
  guardianAbi,
  type Network,
  opgGovernorAbi,
  opgTimelockAbi,
  paramStoreAbi,
  pauseClockAbi,
  supplyViewAbi,
  teeRegistryAbi,
} from '@assay/protocol'
import { type Abi, decodeFunctionData, encodeFunctionData, type Hex } from 'viem'
import { parameterKey, parameterName } from '../deploy/parameters.ts'
import type { ProposalAction } from './proposals.ts'

/** Contracts that the timelock governs, and what a proposal may ask of them. */
const GOVERNED: Partial<Record<ContractName, Abi>> = {
  ParamStore: paramStoreAbi,
  TeeRegistry: teeRegistryAbi,
  Guardian: guardianAbi,
  PauseClock: pauseClockAbi,
  SupplyView: supplyViewAbi,
  OpgGovernor: opgGovernorAbi,
  OpgTimelock: opgTimelockAbi,
}

type Where = Pick<Network, 'contracts'>

/** A call of a governed contract as a proposal's action. */
export function actionOf(
  network: Where,
  contract: 'ParamStore' | 'TeeRegistry' | 'Guardian' | 'PauseClock' | 'SupplyView',
  functionName: string,
  args: readonly unknown[],
): ProposalAction {
  const data = encodeFunctionData({ abi: GOVERNED[contract] as Abi, functionName, args })
  return { target: network.contracts[contract], value: 0n, data }
}

/** Moves a parameter, named as docs/governance.md lists them. @param value in its own unit */
export function setParameter(network: Where, name: string, value: bigint): ProposalAction {
  return actionOf(network, 'ParamStore', 'set', [parameterKey(name), value])
}

/** What an action does, in words that a voter can check: `ParamStore.set(CHALLENGE_WINDOW, 20)`. */
export function describeAction(network: Where, action: ProposalAction): string {
  const name = (Object.keys(GOVERNED) as ContractName[]).find(
    (contract) => network.contracts[contract].toLowerCase() === action.target.toLowerCase(),
  )
  const abi = name === undefined ? undefined : GOVERNED[name]
  const money = action.value === 0n ? '' : ` with ${action.value} wei`
  try {
    if (abi === undefined) throw new Error('not a governed contract')
    const { functionName, args } = decodeFunctionData({ abi, data: action.data })
    const key = name === 'ParamStore'
    const words = ((args ?? []) as readonly unknown[]).map((value, at) =>
      key && at === 0 ? parameterName(value as Hex) : String(value),
    )
    return `${name}.${functionName}(${words.join(', ')})${money}`
  } catch {
    // Shown as it is: a voter must see that nobody here can say what it does.
    return `UNKNOWN CALL of ${name ?? action.target}: ${action.data}${money}`
  }
}
