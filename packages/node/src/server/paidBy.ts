import { type Deployment, type DialectError, formatOpg } from '@assay/protocol'
import { checkGrantPass, checkPayment, type GrantAccount, grantRefusal } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { NodeChain } from '../chain/nodeChain.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { PayerCredit } from './payerCredit.ts'
import type { Outstanding } from './runBeforePaid.ts'

/** What pays for a request: its identity, who is charged, and the deposit behind it if there is one. */
export type Paid = {
  requestId: Hex
  payer: Address
  /** Absent where the call pays for itself. */
  grant?: { id: Hex; account: GrantAccount } | undefined
  /** What the chain has still to say of it; absent where it has. */
  outstanding?: Outstanding | undefined
}

export type PaidByParameters = {
  deployment: Deployment
  /** OPG. */
  token: Address
  escrow: Address
  chain: NodeChain
  credit: PayerCredit
  operator: Address
  /** Gateway that sent the request. */
  committer: Address
  modelId: Hex
  requestHash: Hex
  /** What the request may cost, OPG base units. */
  quote: bigint
}

type Refused = { error: DialectError }

/**
 * An x402 payment that this gateway's till could collect now. For a payer who has paid for as much here the work may
 * begin while the chain is asked for that.
 */
export async function paidByX402(
  header: string,
  till: Address,
  parameters: PaidByParameters,
): Promise<Paid | Refused> {
  const { deployment, token, escrow, chain, credit, committer, quote } = parameters
  const checked = await checkPayment({
    header,
    chainId: deployment.chainId,
    token,
    escrow,
    till,
    committer,
    minAmount: quote,
    now: BigInt(Math.floor(Date.now() / 1000)),
  })
  if (!checked.ok) return { error: unpaid(checked.reason, checked.code) }
  const { requestId, payer } = checked
  const outstanding: Outstanding = chain.whyUncollectable(checked).then(
    (reason) =>
      reason === undefined
        ? undefined
        : unpaid(`The payment cannot be collected: ${reason}.`, 'payment_uncollectable'),
    () => CHAIN_AWAY,
  )
  if (credit.lend(payer, quote)) {
    void outstanding.then((error) => error === undefined && credit.add(payer, quote))
    return { requestId, payer, outstanding }
  }
  const error = await outstanding
  return error === undefined ? { requestId, payer } : { error }
}

/**
 * A call that a gateway makes under a grant: the chain saw the payer's word for the grant, the gateway that it names
 * signed this very request, and the deposit holds what it may cost. That the payer asked for the call nobody can tell
 * from here: a grant trusts its gateway with that, up to its limits.
 * @throws whatever the chain throws where it is away
 */
export async function paidByGrant(header: string, parameters: PaidByParameters): Promise<Paid | Refused> {
  const { chain, modelId, operator, quote } = parameters
  const now = BigInt(Math.floor(Date.now() / 1000))
  const pass = await checkGrantPass({ ...parameters, header, now })
  if (!pass.ok) return { error: unpaid(pass.reason, pass.code) }
  const refusalBy = (account: GrantAccount) =>
    grantRefusal(pass.grant, account, { modelId, node: operator, price: quote, at: now })
  let account = await chain.grantAccount(pass.grantId)
  if (refusalBy(account) !== undefined) account = await chain.grantAccountNow(pass.grantId)
  const refusal = refusalBy(account)
  if (refusal !== undefined) return { error: unpaid(refusal.reason, refusal.code) }
  return { requestId: pass.requestId, payer: pass.payer, grant: { id: pass.grantId, account } }
}

/** Said of a deposit that does not hold the call beside those that this node has answered or is answering. */
export function depositShort(quote: bigint): DialectError {
  return unpaid(`The deposit behind the grant no longer holds ${formatOpg(quote)}.`, 'grant_exhausted')
}

export function unpaid(message: string, code: string): DialectError {
  return { status: 402, message, type: 'payment_required', code, param: null }
}

export const CHAIN_AWAY: DialectError = {
  status: 503,
  message: 'The chain does not answer, so the payment cannot be checked.',
  type: 'server_error',
  code: 'chain_unreachable',
  param: null,
}

/** Payment twice over is a mistake: which of the two would be charged? */
export const PAID_TWICE = badRequest(
  'A request is paid by x402 or under a grant, not both.',
  null,
  'paid_twice',
)
