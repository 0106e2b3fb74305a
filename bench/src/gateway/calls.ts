import { quoteMaximum } from '@assay/protocol'
import { createApiKey, openGrant } from '@assay/sdk'
import { parseEther } from 'viem'
import { signExactPayment } from '../exactPayment.ts'
import { LOCAL_PRICE, type LocalNetwork } from '../localNetwork.ts'
import type { Call } from './measure.ts'

export const KINDS = ['whole', 'streamed'] as const
export type Kind = (typeof KINDS)[number]

const MAX_TOKENS = 32
/** Of a grant, OPG base units. */
const DEPOSIT = parseEther('10')

const bodyOf = (kind: Kind): string =>
  JSON.stringify({
    model: 'bench',
    messages: [{ role: 'user', content: 'Say twenty words.' }],
    max_tokens: MAX_TOKENS,
    stream: kind === 'streamed',
  })

/** Calls that carry no payment. */
export function plainCalls(kind: Kind, count: number, headers: Record<string, string> = {}): Call[] {
  return new Array<Call>(count).fill({ headers, body: bodyOf(kind) })
}

/** Opens a grant of its own, and makes calls that an API key under it pays for. */
export async function createKeyedCalls(
  local: LocalNetwork,
  gatewayUrl: string,
): Promise<(kind: Kind, count: number) => Call[]> {
  const network = { ...local.network, gatewayUrl }
  const { payerKey: privateKey } = local
  const expiry = BigInt(Math.floor(Date.now() / 1000) + 86_400)
  const amounts = { maxTotal: DEPOSIT, maxPerCall: DEPOSIT, deposit: DEPOSIT }
  const { grant } = await openGrant({ network, privateKey, ...amounts, expiry })
  const key = await createApiKey(network, privateKey, grant)
  return (kind, count) => plainCalls(kind, count, { authorization: `Bearer ${key}` })
}

/** Makes calls of which each carries a payment of its own. */
export function createWallet(local: LocalNetwork): (kind: Kind, count: number) => Promise<Call[]> {
  let signed = 0
  return async (kind, count) => {
    const body = bodyOf(kind)
    const value = quoteMaximum(LOCAL_PRICE, Buffer.byteLength(body), MAX_TOKENS)
    const calls: Call[] = []
    while (calls.length < count) {
      const { header } = await signExactPayment(local, signed++, value)
      calls.push({ headers: { 'payment-signature': header }, body })
    }
    return calls
  }
}
