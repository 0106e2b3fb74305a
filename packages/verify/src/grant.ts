import { formatOpg, type SpendingGrant } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { GrantAccount } from './chainView.ts'
import { same } from './step.ts'
import { utc } from './utc.ts'

export type GrantRefusalCode =
  | 'grant_not_open' // the chain never saw the payer's word for it
  | 'grant_revoked'
  | 'grant_expired'
  | 'grant_model' // another model than it names
  | 'grant_node' // another node than it names
  | 'grant_call_limit' // the call may cost more than the grant gives one call

export type GrantRefusal = { code: GrantRefusalCode; reason: string }

/** A call as far as a grant is concerned. */
export type GrantedCall = {
  modelId: Hex
  node: Address
  /** Most that it may cost, or what it did cost, OPG base units. */
  price: bigint
  /** Time at which the grant must stand, Unix seconds. */
  at: bigint
}

/** Why a grant does not pay for a call; undefined where it does, as far as its deposit reaches. */
export function grantRefusal(
  grant: SpendingGrant,
  account: GrantAccount,
  call: GrantedCall,
): GrantRefusal | undefined {
  if (!account.opened) {
    return { code: 'grant_not_open', reason: 'The grant was not opened on the chain.' }
  }
  if (account.revokedAt !== 0n && call.at >= account.revokedAt) {
    return { code: 'grant_revoked', reason: `The payer revoked the grant at ${utc(account.revokedAt)}.` }
  }
  if (call.at >= grant.expiry) {
    return { code: 'grant_expired', reason: `The grant ended at ${utc(grant.expiry)}.` }
  }
  if (grant.models.length > 0 && !grant.models.some((model) => same(model, call.modelId))) {
    return { code: 'grant_model', reason: 'The grant does not name this model.' }
  }
  if (grant.nodes.length > 0 && !grant.nodes.some((node) => same(node, call.node))) {
    return { code: 'grant_node', reason: `The grant does not name the node ${call.node}.` }
  }
  if (call.price > grant.maxPerCall) {
    const reason = `The grant gives one call ${formatOpg(grant.maxPerCall)}, this one may cost ${formatOpg(call.price)}.`
    return { code: 'grant_call_limit', reason }
  }
  return undefined
}
