import { type Network, opgAbi } from '@assay/protocol'
import { type Address, getAbiItem, type Hex, hexToBigInt, numberToHex, pad, toEventSelector } from 'viem'
import type { Rpc, RpcQuestion } from './rpc.ts'

/** EIP-3009: a nonce is used up by either, and by nothing else. */
const EVENTS = (['AuthorizationUsed', 'AuthorizationCanceled'] as const).map((name) =>
  toEventSelector(getAbiItem({ abi: opgAbi, name })),
)
/** Of the events of one payer: some three thousand payments. */
const MAX_EVENTS_BYTES = 2 * 1024 * 1024
const MAX_BLOCK_BYTES = 512 * 1024
/** Of an answer that holds such events and up to two blocks. */
const MAX_ANSWER_BYTES = MAX_EVENTS_BYTES + 2 * MAX_BLOCK_BYTES
/** Blocks by which one of a provider's servers may be behind another. */
const LAG_BLOCKS = 8n

/** A block that a question begins behind, by which it is known whether the chain is still the same. */
export type KnownBlock = { number: bigint; hash: Hex }
/** `known`: a block that the chain had when it was asked, as new as may be; where all was asked for, one that every server had. */
export type UsedNonces = { nonces: Hex[]; known: KnownBlock }

/**
 * Reads which nonces an account has used or cancelled in the token, all of them or those behind a block.
 * @returns a reader that gives undefined where that block is not on the chain any more
 * @throws where the chain does not tell, or not in one answer
 */
export function connectUsedNonces(
  rpc: Rpc,
  { OPG }: Pick<Network['contracts'], 'OPG'>,
): (payer: Address, since?: KnownBlock | undefined) => Promise<UsedNonces | undefined> {
  const block = (which: string): RpcQuestion => ({ method: 'eth_getBlockByNumber', params: [which, false] })
  const eventsOf = (payer: Address, from: bigint): RpcQuestion => {
    const topics = [EVENTS, pad(payer)]
    const range = { fromBlock: numberToHex(from), toBlock: 'latest' }
    return { method: 'eth_getLogs', params: [{ address: OPG, topics, ...range }] }
  }

  async function readAll(payer: Address): Promise<UsedNonces> {
    const [head] = await rpc([block('latest')], MAX_BLOCK_BYTES)
    const { number } = blockOf(head)
    const shared = number > LAG_BLOCKS ? number - LAG_BLOCKS : 0n
    const [events, known] = await rpc([eventsOf(payer, 0n), block(numberToHex(shared))], MAX_ANSWER_BYTES)
    return { nonces: noncesOf(events), known: blockOf(known) }
  }
  return async (payer, since) => {
    if (since === undefined) return readAll(payer)
    const questions = [block(numberToHex(since.number)), eventsOf(payer, since.number + 1n), block('latest')]
    const [then, events, head] = await rpc(questions, MAX_ANSWER_BYTES)
    // Null where the chain has become shorter.
    if (then === null || blockOf(then).hash !== since.hash) return undefined
    return { nonces: noncesOf(events), known: blockOf(head) }
  }
}

function refuse(): never {
  throw new Error('The chain did not tell which nonces were used.')
}

function blockOf(result: unknown): KnownBlock {
  const { number, hash } = (result ?? {}) as { number?: unknown; hash?: unknown }
  if (!isHex(number, /^0x[0-9a-f]{1,16}$/i) || !isHex(hash, /^0x[0-9a-f]{64}$/i)) return refuse()
  return { number: hexToBigInt(number), hash }
}

const isHex = (value: unknown, form: RegExp): value is Hex => typeof value === 'string' && form.test(value)

function noncesOf(result: unknown): Hex[] {
  if (!Array.isArray(result)) return refuse()
  return result.map((log: { topics?: unknown }) => {
    const nonce = Array.isArray(log?.topics) ? log.topics[2] : undefined
    return isHex(nonce, /^0x[0-9a-f]{64}$/i) ? nonce : refuse()
  })
}
