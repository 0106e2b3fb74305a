import type { Address } from 'viem'
import type { ContractCall } from '../wouldSucceed.ts'
import type { BatchMemory } from './batchMemory.ts'
import type { CanaryCalls, CanaryChain } from './canaryChain.ts'
import type { FaultCalls, FaultChain } from './faultChain.ts'
import type { FaultEnd, FaultJob, FaultJobs, FaultState } from './faultJobs.ts'

export type FaultContext = {
  operator: Address
  chain: FaultChain
  calls: FaultCalls
  canaries: CanaryChain
  canaryCalls: CanaryCalls
  jobs: FaultJobs
  memory: Pick<BatchMemory, 'batchOf'>
  /** Sends and waits until it is mined. @throws AssayError `conflict` where the contract refuses */
  send: (call: ContractCall) => Promise<void>
  log: (event: string, facts: Record<string, unknown>) => void
}

/** 'settled': nothing will ever be left to do about it; 'waiting': look again. */
export type FaultOutcome = 'settled' | 'waiting'

/** The one way to an end, so that it is logged once. */
export function end(
  job: FaultJob,
  state: FaultEnd,
  context: FaultContext,
  facts: Record<string, unknown> = {},
): 'settled' {
  const { faultId, faultClass, batchId } = job
  context.jobs.advance(faultId, state)
  context.log(`fault ${state}`, { faultId, faultClass, batchId, ...facts })
  return 'settled'
}

export function step(
  job: FaultJob,
  state: FaultState,
  context: FaultContext,
  facts: Record<string, unknown> = {},
): void {
  if (job.state === state) return
  const { faultId, faultClass, batchId } = job
  context.jobs.advance(faultId, state)
  job.state = state
  context.log(`fault ${state}`, { faultId, faultClass, batchId, ...facts })
}
