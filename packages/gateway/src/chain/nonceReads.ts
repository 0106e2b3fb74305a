import { opgAbi, PERMIT2_ADDRESS } from '@assay/protocol'
import type { CheckedPayment } from '@assay/verify'
import { Pool } from 'undici'
import { type Address, decodeFunctionResult, encodeFunctionData, type Hex, isHex } from 'viem'
import { readBounded } from '../nodes/readBounded.ts'
import { permit2Abi } from './permit2Abi.ts'

const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 4096
const CONNECTIONS = 16

type Question = { to: Address; data: Hex; isUnused(result: Hex): boolean }

function questionOf(payment: CheckedPayment, token: Address): Question {
  if (payment.scheme === 'exact') {
    const read = { abi: opgAbi, functionName: 'authorizationState' } as const
    return {
      to: token,
      data: encodeFunctionData({ ...read, args: [payment.payer, payment.paymentNonce] }),
      isUnused: (data) => !decodeFunctionResult({ ...read, data }),
    }
  }
  // Permit2: bit `nonce & 255` of word `nonce >> 8`.
  const { nonce } = payment.upto.permit
  const read = { abi: permit2Abi, functionName: 'nonceBitmap' } as const
  return {
    to: PERMIT2_ADDRESS,
    data: encodeFunctionData({ ...read, args: [payment.payer, nonce >> 8n] }),
    isUnused: (data) => ((decodeFunctionResult({ ...read, data }) >> (nonce & 255n)) & 1n) === 0n,
  }
}

/**
 * Asks the chain whether a payment's nonce can still be used. Every paid call asks, so it goes over connections that stay
 * open, without the timer and the layers of a general client, which took longer than the answer.
 * @returns reader that throws where the chain does not answer in these terms; callers then ask again by other means
 */
export function connectNonces(rpcUrl: string, token: Address): (payment: CheckedPayment) => Promise<boolean> {
  const { origin, pathname, search } = new URL(rpcUrl)
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  })
  return async (payment) => {
    const { to, data, isUnused } = questionOf(payment, token)
    const answer = await pool.request({
      method: 'POST',
      path: `${pathname}${search}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params: [{ to, data }, 'latest'] }),
    })
    const text = (await readBounded(answer.body, MAX_ANSWER_BYTES)).toString()
    const { result } = JSON.parse(text) as { result?: unknown }
    if (answer.statusCode !== 200 || !isHex(result) || result.length !== 66) {
      throw new Error('The chain did not answer the question about a nonce.')
    }
    return isUnused(result)
  }
}
