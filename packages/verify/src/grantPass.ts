import {
  type Deployment,
  decodeGrantHeader,
  type GrantPass,
  grantIdOf,
  grantRequestId,
  recoverSigner,
  requestAuthDigest,
  type SpendingGrant,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { same } from './step.ts'

export type CheckGrantPassParameters = {
  /** Value of the `assay-grant` header. */
  header: string
  deployment: Deployment
  escrow: Address
  /** Gateway that sent the request. */
  committer: Address
  requestHash: Hex
  modelId: Hex
  /** What the request may cost, OPG base units. */
  quote: bigint
  /** Unix seconds. */
  now: bigint
}

export type CheckedGrantPass = {
  ok: true
  grant: SpendingGrant
  grantId: Hex
  counter: bigint
  payer: Address
  requestId: Hex
}
export type RefusedGrantPass = { ok: false; code: 'grant_malformed' | 'grant_unauthorised'; reason: string }

/**
 * Whether the gateway that a grant names asks for this very call under it. Pure: whether the payer opened the grant, and
 * what it still holds, is the chain's to answer. Never throws, whatever the header.
 */
export async function checkGrantPass(
  parameters: CheckGrantPassParameters,
): Promise<CheckedGrantPass | RefusedGrantPass> {
  const { deployment, escrow, committer } = parameters
  const refused = (reason: string): RefusedGrantPass => ({ ok: false, code: 'grant_unauthorised', reason })
  let pass: GrantPass
  try {
    pass = decodeGrantHeader(parameters.header)
  } catch {
    return { ok: false, code: 'grant_malformed', reason: 'The grant cannot be read.' }
  }
  const { grant, counter } = pass
  const { auth, signature } = pass.auth
  if (!same(grant.gateway, committer)) return refused(`The grant is for the gateway ${grant.gateway}.`)
  const grantId = grantIdOf(grant, deployment)
  const call = { chainId: deployment.chainId, escrow, payer: grant.payer, grant: { id: grantId, counter } }
  const requestId = grantRequestId(call)
  if (auth.requestId !== requestId) return refused('The gateway names another request id.')
  if (auth.requestHash !== parameters.requestHash) return refused('The gateway names another request.')
  if (!same(auth.modelId, parameters.modelId)) return refused('The gateway names another model.')
  if (!same(auth.committer, committer)) return refused('The gateway names another committer.')
  if (auth.maxPrice < parameters.quote) {
    return refused(`The gateway allows ${auth.maxPrice}, the request may cost ${parameters.quote}.`)
  }
  if (auth.deadline < parameters.now) return refused('The deadline that the gateway set has passed.')
  const signer = await recoverSigner(requestAuthDigest(auth, deployment), signature).catch(() => undefined)
  if (signer === undefined || !same(signer, grant.gateway)) {
    return refused('The call is not signed by the gateway that the grant names.')
  }
  return { ok: true, grant, grantId, counter, payer: grant.payer, requestId }
}
