import {
  inferenceEscrowAbi,
  type Network,
  opgAbi,
  PERMIT2_ADDRESS,
  settlementAbi,
  spendingGrantsAbi,
} from '@assay/protocol'
import type { CheckedPayment, GrantAccount } from '@assay/verify'
import { type Address, getAbiItem, type Hex, toFunctionSelector } from 'viem'
import type { ChainBatch, ChainPayment } from './gatewayChain.ts'
import { permit2Abi } from './permit2Abi.ts'
import type { Rpc } from './rpc.ts'

/** Of one answer: twelve words in hex, and what JSON puts around them. */
const MAX_ANSWER_BYTES = 1024
/** Calls that travel together; the proxy and most providers take a hundred. */
const MAX_CALLS = 100
/** Hex digits of one word. */
const WORD = 64

const AUTHORIZATION_STATE = toFunctionSelector(getAbiItem({ abi: opgAbi, name: 'authorizationState' }))
const NONCE_BITMAP = toFunctionSelector(getAbiItem({ abi: permit2Abi, name: 'nonceBitmap' }))
const PAYMENT = toFunctionSelector(getAbiItem({ abi: inferenceEscrowAbi, name: 'payment' }))
/** What `payment` returns: its state is the last. */
const PAYMENT_WORDS = 6
const ACCOUNT_ABI = getAbiItem({ abi: spendingGrantsAbi, name: 'account' })
const ACCOUNT = toFunctionSelector(ACCOUNT_ABI)
/** What `account` returns, a word each. */
const ACCOUNT_PARTS = ACCOUNT_ABI.outputs.map(({ name }) => name)
const BATCH_ABI = getAbiItem({ abi: settlementAbi, name: 'batch' })
const BATCH = toFunctionSelector(BATCH_ABI)
/** Members of the one struct that `batch` returns, a word each. */
const BATCH_MEMBERS = BATCH_ABI.outputs[0].components.map(({ name }) => name)

type Call = { to: Address; data: Hex }

const word = (hex: string): string => hex.slice(2).padStart(WORD, '0')

export type PlainReads = {
  /** Whether a payment's nonce can still be used. */
  nonceUnused(payment: CheckedPayment): Promise<boolean>
  grantAccount(grantId: Hex): Promise<GrantAccount>
  payments(requestIds: readonly Hex[]): Promise<ChainPayment[]>
  batches(batchIds: readonly Hex[]): Promise<ChainBatch[]>
}

/**
 * The reads of paid calls, before their answers and when they are collected, and those of every look at the open
 * batches. They are put together and taken apart as the few words that they are, many in one message: a general client
 * held up every answer for tens of milliseconds for those of a batch.
 * @returns readers that throw where the chain does not answer in these terms; callers then ask again by other means
 */
export function connectPlainReads(
  rpc: Rpc,
  contracts: Pick<Network['contracts'], 'OPG' | 'InferenceEscrow' | 'SpendingGrants' | 'Settlement'>,
): PlainReads {
  /** @returns per call so many words */
  async function read(calls: readonly Call[], words: number): Promise<bigint[][]> {
    const questions = calls.map((call) => ({ method: 'eth_call', params: [call, 'latest'] }))
    const results = await rpc(questions, MAX_ANSWER_BYTES * calls.length)
    return results.map((result) => {
      if (typeof result !== 'string' || result.length !== 2 + WORD * words || !/^0x[0-9a-f]+$/i.test(result))
        throw new Error('The chain did not answer a plain question.')
      return Array.from({ length: words }, (_, at) => BigInt(`0x${result.substr(2 + at * WORD, WORD)}`))
    })
  }
  async function readWord(call: Call): Promise<bigint> {
    const [[found] = []] = await read([call], 1)
    return found as bigint
  }
  /** What one contract says of each of these ids. */
  async function readEach(
    to: Address,
    selector: Hex,
    ids: readonly Hex[],
    words: number,
  ): Promise<bigint[][]> {
    const found: bigint[][] = []
    for (let at = 0; at < ids.length; at += MAX_CALLS) {
      const calls = ids.slice(at, at + MAX_CALLS).map((id): Call => ({ to, data: `${selector}${word(id)}` }))
      found.push(...(await read(calls, words)))
    }
    return found
  }

  return {
    async nonceUnused(payment) {
      if (payment.scheme === 'exact') {
        const data: Hex = `${AUTHORIZATION_STATE}${word(payment.payer)}${word(payment.paymentNonce)}`
        return (await readWord({ to: contracts.OPG, data })) === 0n
      }
      // Permit2: bit `nonce & 255` of word `nonce >> 8`.
      const { nonce } = payment.upto.permit
      const data: Hex = `${NONCE_BITMAP}${word(payment.payer)}${(nonce >> 8n).toString(16).padStart(WORD, '0')}`
      return (((await readWord({ to: PERMIT2_ADDRESS, data })) >> (nonce & 255n)) & 1n) === 0n
    },
    async grantAccount(grantId) {
      const call: Call = { to: contracts.SpendingGrants, data: `${ACCOUNT}${word(grantId)}` }
      const [words = []] = await read([call], ACCOUNT_PARTS.length)
      const part = (name: (typeof ACCOUNT_PARTS)[number]) => words[ACCOUNT_PARTS.indexOf(name)] as bigint
      return {
        funded: part('funded'),
        spent: part('spent'),
        revokedAt: part('revokedAt'),
        opened: part('opened') === 1n,
      }
    },
    async payments(requestIds) {
      const found = await readEach(contracts.InferenceEscrow, PAYMENT, requestIds, PAYMENT_WORDS)
      return found.map((words) => ({ state: Number(words.at(-1)) }))
    },
    async batches(batchIds) {
      const found = await readEach(contracts.Settlement, BATCH, batchIds, BATCH_MEMBERS.length)
      return found.map((words) => {
        const member = (name: (typeof BATCH_MEMBERS)[number]) => words[BATCH_MEMBERS.indexOf(name)] as bigint
        return {
          committedAt: member('committedAt'),
          committedBlock: member('committedBlock'),
          quorumAt: member('quorumAt'),
          state: Number(member('state')),
          challenges: Number(member('challenges')),
        }
      })
    },
  }
}
