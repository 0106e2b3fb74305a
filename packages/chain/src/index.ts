/**
 * The chain as the other packages use it: the embedded devnet, the deployment, clients that read and send, and the
 * reader that fills the verifier's view. It never decides whether a receipt is good; that is packages/verify.
 * Start with `devnet/startDevnet.ts` and `deploy/deploy.ts`.
 */

export * from './blockRanges.ts'
export * from './chainAway.ts'
export * from './deploy/bootstrapDevnet.ts'
export * from './deploy/deploy.ts'
export type { EnclaveApproval } from './deploy/enclaveApproval.ts'
export * from './developmentAccounts.ts'
export * from './devnet/startDeployedDevnet.ts'
export * from './devnet/startDevnet.ts'
export { writeDurably } from './durableFile.ts'
export * from './faults/readBatchHistory.ts'
export * from './faults/readCanary.ts'
export * from './faults/readFaults.ts'
export * from './faults/readPayments.ts'
export * from './faults/readVoidFee.ts'
export * from './fetchBounded.ts'
export * from './governance/actions.ts'
export * from './governance/passProposal.ts'
export * from './governance/proposals.ts'
export * from './governance/readRules.ts'
export * from './governance/readSupply.ts'
export * from './governance/readTeeHistory.ts'
export * from './network.ts'
export * from './opengradient/deployOpenGradient.ts'
export * from './opengradient/keys.ts'
export * from './pollLoop.ts'
export {
  endProcess,
  identityFrom,
  identityOf,
  isAlive,
  type ProcessIdentity,
  waitForExit,
} from './processIdentity.ts'
export * from './publicClient.ts'
export * from './readBatch.ts'
export * from './readChainView.ts'
export * from './readGrant.ts'
export * from './readModels.ts'
export * from './readTeeRules.ts'
export { createRecentReadings, type RecentReadings } from './recentReadings.ts'
export * from './refusalLines.ts'
export * from './safeDial.ts'
export * from './sender/createSender.ts'
export * from './staking/readStake.ts'
export * from './whyNotStarted.ts'
