import { endOfGrant, publicClientOf, readGrantAccount, readWithdrawableAt } from '@assay/chain'
import { deploymentOf, formatOpg, grantIdOf, type Network, type SpendingGrant } from '@assay/protocol'
import type { GrantAccount } from '@assay/verify'
import type { Hex } from 'viem'
import { SdkError, type SdkErrorCode } from './errors.ts'

/*
 * What SpendingGrants would refuse, found out before anything is sent: the contract itself speaks to programs, and by then
 * the allowance for a deposit that it never takes is given and paid for. Two who act at once may still hear it from there.
 */

const ANOTHER = 'Open another grant: assay wallet grant create'

/** @throws SdkError `bad_input` for limits under which no call can be paid */
export function mustPayForCalls(limits: { maxTotal: bigint; maxPerCall: bigint; deposit: bigint }): void {
  const { maxTotal, maxPerCall, deposit } = limits
  if (maxTotal > 0n && maxPerCall > 0n && deposit <= maxTotal) return
  throw new SdkError('No grant can be opened under these limits, or none that pays for a call.', {
    code: 'bad_input',
    facts: { maxTotal, maxPerCall, deposit },
    next: 'Give a maxTotal and a maxPerCall above 0, and a deposit of at most maxTotal.',
  })
}

/** @throws SdkError `bad_input` | `grant_not_open` | `grant_revoked` | `grant_expired` */
export async function mustTakeDeposit(network: Network, grant: SpendingGrant, amount: bigint): Promise<void> {
  if (amount <= 0n) {
    throw new SdkError('There is nothing to pay in.', {
      code: 'bad_input',
      facts: { amount },
      next: 'Give an amount above 0.',
    })
  }
  const standing = await standingOf(network, grant)
  if (!standing.account.opened) {
    throw refusal(standing, 'grant_not_open', 'The grant was never opened.', { next: ANOTHER })
  }
  // Past the expiry the contract would take it, though it could pay for nothing any more.
  mustNotHaveEnded(standing, ANOTHER)
  const room = grant.maxTotal - standing.account.funded
  if (amount <= room) return
  throw refusal(standing, 'bad_input', 'With that, more would be paid in than the grant may ever spend.', {
    facts: { maxTotal: grant.maxTotal, paidIn: standing.account.funded, amount },
    next: room === 0n ? `It takes no more. ${ANOTHER}` : `Pay in at most ${formatOpg(room)}.`,
  })
}

/** @throws SdkError `grant_revoked` | `grant_expired` */
export async function mustTakeKey(network: Network, grant: SpendingGrant): Promise<void> {
  mustNotHaveEnded(await standingOf(network, grant), ANOTHER)
}

/** @throws SdkError `grant_revoked` | `grant_expired` */
export async function mustBeRevocable(network: Network, grant: SpendingGrant): Promise<void> {
  const standing = await standingOf(network, grant)
  const left = leftOf(standing)
  // The contract would revoke what has expired, and change nothing by it.
  mustNotHaveEnded(
    standing,
    left === 0n ? undefined : `Take back what is left: assay wallet grant withdraw ${standing.id}`,
    left === 0n ? {} : { left },
  )
}

/** @throws SdkError `nothing_left` | `not_due` */
export async function mustGiveBack(network: Network, grant: SpendingGrant): Promise<void> {
  const standing = await standingOf(network, grant)
  const { id, account, now } = standing
  if (leftOf(standing) === 0n) {
    throw refusal(standing, 'nothing_left', 'The grant holds nothing that could be taken back.', {
      next: `See what became of it: assay wallet grant show ${id}`,
    })
  }
  const end = endOfGrant(grant, account, now)
  const dueAt = await readWithdrawableAt(publicClientOf(network), network, end?.at ?? grant.expiry)
  if (dueAt <= now) return
  const due = utc(dueAt)
  if (end === undefined) {
    throw refusal(standing, 'not_due', 'The grant still stands; what is left comes back after its end.', {
      facts: { due },
      next: `End it now: assay wallet grant revoke ${id}`,
    })
  }
  throw refusal(standing, 'not_due', 'It is too early: calls from before its end may still be paid.', {
    facts: { due },
    next: `Come back then: assay wallet grant withdraw ${id}`,
  })
}

/** A grant as it stands by the clock of the chain, which is the one that counts. */
type Standing = { id: Hex; grant: SpendingGrant; account: GrantAccount; now: bigint }

async function standingOf(network: Network, grant: SpendingGrant): Promise<Standing> {
  const client = publicClientOf(network)
  const id = grantIdOf(grant, deploymentOf(network))
  const [account, { timestamp }] = await Promise.all([
    readGrantAccount(client, network, id),
    client.getBlock(),
  ])
  return { id, grant, account, now: timestamp }
}

function leftOf({ account }: Standing): bigint {
  return account.funded - account.spent
}

function mustNotHaveEnded(standing: Standing, next: string | undefined, facts: Facts = {}): void {
  const end = endOfGrant(standing.grant, standing.account, standing.now)
  if (end === undefined) return
  throw refusal(standing, `grant_${end.how}`, `The grant ${END_IN_WORDS[end.how]} at ${utc(end.at)}.`, {
    facts,
    next,
  })
}

const END_IN_WORDS = { revoked: 'was revoked', expired: 'ended' } as const

type Facts = Record<string, unknown>

function refusal(
  { id }: Standing,
  code: SdkErrorCode,
  message: string,
  { facts = {}, next }: { facts?: Facts; next: string | undefined },
): SdkError {
  return new SdkError(message, { code, facts: { grantId: id, ...facts }, next })
}

function utc(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
