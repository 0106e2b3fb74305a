import {
  endOfGrant,
  type KnownGrant,
  publicClientOf,
  readWithdrawableAt,
  readWithdrawals,
} from '@assay/chain'
import type { Network } from '@assay/protocol'
import { listGrants } from '@assay/sdk'
import type { Address } from 'viem'
import type { GrantFacts } from './describeGrant.ts'

/** The grants of a payer, newest first, and how each stands by the clock of the chain, which is the one that counts. */
export async function readGrantFacts(network: Network, payer: Address): Promise<GrantFacts[]> {
  const client = publicClientOf(network)
  const [grants, withdrawals, { timestamp }] = await Promise.all([
    listGrants(network, payer),
    readWithdrawals(client, network, payer),
    client.getBlock(),
  ])
  const factsOf = async ({ id, grant, account }: KnownGrant): Promise<GrantFacts> => {
    const end = endOfGrant(grant, account, timestamp)
    const known = { id, ...grant, ...account }
    const deposit = account.funded - account.spent
    const withdrawn = withdrawals.get(id) ?? 0n
    if (end === undefined) return { ...known, state: 'open', deposit, withdrawn, end: null }
    const state = end.how === 'revoked' ? 'revoked' : 'ended'
    const withdrawableAt = await readWithdrawableAt(client, network, end.at)
    return { ...known, state, deposit, withdrawn, end: { at: end.at, withdrawableAt } }
  }
  return Promise.all(grants.map(factsOf))
}
