/** The two ways in which a call is paid for, put together of the gateway's own parts. */
import type { IncomingHttpHeaders } from 'node:http'
import {
  apiKeyHash,
  type Deployment,
  encodeGrantHeader,
  GRANT_HEADER,
  grantRequestId,
  type Network,
  type NetworkModel,
  requestAuthDigest,
  SCHEME,
  signDigest,
} from '@assay/protocol'
import type { Database, RequestWriter } from '@assay/store'
import { type CheckedPayment, checkPayment, grantRefusal } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { GatewayChain } from '../../../packages/gateway/src/chain/gatewayChain.ts'
import { createFreshCache } from '../../../packages/gateway/src/freshCache.ts'
import { createKeys } from '../../../packages/gateway/src/grants/keys.ts'
import { createPlaces } from '../../../packages/gateway/src/grants/places.ts'
import { createClaims } from '../../../packages/gateway/src/payment/claims.ts'
import { encodeCollect } from '../../../packages/gateway/src/payment/collectArgument.ts'
import { createFreshNonces } from '../../../packages/gateway/src/payment/freshNonces.ts'
import { createFundsCache } from '../../../packages/gateway/src/payment/fundsCache.ts'
import { createHeadStart } from '../../../packages/gateway/src/payment/headStart.ts'
import { statedPayment } from './statedPayment.ts'

/** A call that somebody pays for, as far as that was looked at. */
export type PaidCall = {
  requestId: Hex
  payer: Address
  amount: bigint
  /** Headers that its node needs. */
  headers: Record<string, string>
  /** Whether it has its payment, or its place, to itself: nothing goes out before but an opening. */
  held: Promise<boolean>
  /** Whether the chain still takes what pays for it; asked while the node works. */
  stands: Promise<boolean>
}
/** `quote`: what the call may cost, OPG base units. */
export type Asked = { headers: IncomingHttpHeaders; hash: Hex; quote(): Promise<bigint> }

export type Parts = {
  network: Network
  model: NetworkModel
  deployment: Deployment
  chain: GatewayChain
  till: Address
  committer: Address
  privateKey: Hex
  nodeUrl: string
  /** Where its guarantee is on. */
  store: { database: Database; writer: RequestWriter; lagging: Database } | undefined
}

const now = () => BigInt(Math.floor(Date.now() / 1000))
const single = (value: string | string[] | undefined) => String(value ?? '')

/** Calls that carry a payment each. @param checks whether it is looked at, or believed */
export function paidBySignature(parts: Parts, checks: boolean): (asked: Asked) => Promise<PaidCall> {
  const { network, model, chain, till, committer, nodeUrl, store } = parts
  const funds = createFundsCache(chain)
  const nonces = createFreshNonces(chain)
  const endings = { finish: async () => false }
  const claims =
    store &&
    createClaims({ ...store, headStart: createHeadStart(store.database), endings, instance: 'bench' })

  async function checked(header: string, maximum: bigint): Promise<CheckedPayment> {
    const payment = await checkPayment({
      header,
      chainId: network.chainId,
      token: network.contracts.OPG,
      till,
      escrow: network.contracts.InferenceEscrow,
      committer,
      minAmount: maximum,
      now: now(),
    })
    if (!payment.ok) throw new Error(payment.reason)
    if ((await funds.read(payment.payer)).balance < payment.amount)
      throw new Error('The payer has too little.')
    return payment
  }
  return async ({ headers, hash, quote }) => {
    const header = single(headers['payment-signature'])
    const payment = checks ? await checked(header, await quote()) : undefined
    const { requestId, payer, amount, expiresAt } = payment ?? statedPayment(header, network)
    const stands = payment === undefined ? Promise.resolve(true) : nonces.unused(payment)
    const held = claims?.claim({
      ...{ requestId, payer, scheme: SCHEME.exact, authorised: amount, expiresAt },
      collect: payment === undefined ? '{}' : encodeCollect(payment),
      ...{ modelId: model.modelId, nodeUrl, requestHash: hash },
    })
    if (!claims?.mayFollow()) await held
    return { requestId, payer, amount, headers: {}, held: held ?? Promise.resolve(true), stands }
  }
}

/** Calls that an API key pays for, which is always looked at: they are measured with all guarantees alone. */
export function paidByKey(parts: Parts): (asked: Asked) => Promise<PaidCall> {
  const { network, model, deployment, chain, committer, privateKey, nodeUrl, store } = parts
  if (store === undefined) throw new Error('What is spent under a grant is counted in the database.')
  const keys = createKeys(store.lagging)
  const places = createPlaces({ ...store, headStart: createHeadStart(store.database), instance: 'bench' })
  const accountOf = createFreshCache((grantId: Hex) => chain.grantAccount(grantId))
  const { modelId } = model
  const node = network.nodes[0]?.operator as Address

  return async ({ headers, hash, quote }) => {
    const maximum = await quote()
    const keyHash = apiKeyHash(single(headers.authorization).slice('Bearer '.length))
    const key = await keys.find(keyHash)
    if (key === undefined || key.revoked) throw new Error('No such key.')
    const { grant, grantId } = key
    const { payer } = grant
    const call = () => ({ modelId, node, price: maximum, at: now() })
    const account = await accountOf(grantId)
    if (grantRefusal(grant, account, call()) !== undefined) throw new Error('The grant does not pay.')
    const counter = await places.take(grantId)
    if (counter === undefined) throw new Error('No such grant.')
    const requestId = grantRequestId({
      chainId: network.chainId,
      escrow: network.contracts.InferenceEscrow,
      payer,
      grant: { id: grantId, counter },
    })
    const reserving = places.reserve({
      ...{ grantId, counter, requestId, keyHash, payer, scheme: SCHEME.grant, authorised: maximum },
      ...{ funded: account.funded, spentOnChain: account.spent, expiresAt: grant.expiry, collect: '{}' },
      ...{ modelId, nodeUrl, requestHash: hash },
    })
    const held = reserving.then((refusal) => refusal === undefined)
    held.catch(() => {})
    const auth = {
      requestId,
      requestHash: hash,
      modelId,
      maxPrice: maximum,
      committer,
      deadline: now() + 60n,
    }
    const signature = await signDigest(requestAuthDigest(auth, deployment), privateKey)
    if (!places.mayFollow(grantId)) await held
    return {
      requestId,
      payer,
      amount: maximum,
      headers: { [GRANT_HEADER]: encodeGrantHeader({ grant, counter, auth: { auth, signature } }) },
      held,
      stands: chain.grantAccount(grantId).then((seen) => grantRefusal(grant, seen, call()) === undefined),
    }
  }
}
