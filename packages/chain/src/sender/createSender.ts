import { setTimeout as delay } from 'node:timers/promises'
import { AssayError, type Network } from '@assay/protocol'
import {
  type Abi,
  type Address,
  BaseError,
  encodeDeployData,
  encodeFunctionData,
  type Hex,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { publicClientOf } from '../publicClient.ts'
import { isTransportError, refusal, revertReason } from './contractError.ts'
import { currentFees, DEFAULT_FEE_CAP, type Fees, raisedFees } from './fees.ts'

export type SenderOptions = {
  network: Pick<Network, 'chainId' | 'rpcUrl'>
  privateKey: Hex
  /** Highest fee, wei per gas. @default 500 gwei */
  maxFeePerGas?: bigint | undefined
  /** How long a call waits for its receipt, milliseconds. The transaction may still be mined later. @default 120000 */
  timeout?: number | undefined
}

export type SendCall = {
  address: Address
  abi: Abi
  functionName: string
  args?: readonly unknown[] | undefined
  /** Gas limit; estimated with a margin where absent. */
  gas?: bigint | undefined
  /** Wei. */
  value?: bigint | undefined
  /** Told the hash as soon as the chain has taken the transaction, before it is mined. */
  onBroadcast?: ((hash: Hex) => void) | undefined
}

export type Sender = {
  address: Address
  /**
   * Sends a contract call and resolves with the receipt of its success.
   * @throws AssayError `conflict` where the contract refuses (`facts.error` = its error's name), `unreachable` where
   * no receipt came in time (`facts.transactionHash`), `config` where fees or funds do not suffice.
   */
  send(call: SendCall): Promise<TransactionReceipt>
  /** Deploys a contract; the receipt's `contractAddress` is set. */
  deploy(contract: {
    abi: Abi
    bytecode: Hex
    args?: readonly unknown[] | undefined
  }): Promise<TransactionReceipt>
  /** Moves `amount` wei. */
  transferEther(to: Address, amount: bigint): Promise<TransactionReceipt>
}

type Intent = {
  what: string
  to: Address | undefined
  data: Hex
  value: bigint
  gas: bigint | undefined
  abi: Abi
  onBroadcast?: ((hash: Hex) => void) | undefined
}
type Signed = {
  nonce: number
  gas: bigint
  fees: Fees
  raw: Hex
  /** Hashes that the chain has confirmed to hold, one per fee level; empty while no answer came. */
  hashes: Hex[]
  /** Milliseconds. */
  sentAt: number
  /** How often in a row its nonce was used and its receipt absent. */
  missing: number
}

const POLL_MILLISECONDS = 200
/** A transaction without a receipt is sent again this often: pools forget, chains restart. */
const RESEND_MILLISECONDS = 2000
/** EIP-7825 (Osaka): no transaction may ask for more gas. */
const MAX_GAS = 16_777_216n
const DEFAULT_TIMEOUT_MILLISECONDS = 120_000
const FEES_FRESH_MILLISECONDS = 2000
/** Mined transactions that are kept, so that a chain that lost its last seconds can be given them again. */
const HISTORY_LENGTH = 256
/** Load-balanced nodes lag behind one another; only so many looks in a row prove that a receipt will not come. */
const MISSING_BEFORE_LOST = 10
/** How far back a transaction whose answer was lost is looked for, blocks. */
const SEARCH_BLOCKS = 256n
/** How often a nonce may turn out to be taken by another process with the same key. */
const NONCE_ATTEMPTS = 20

/**
 * Sends transactions of one account. Nonces are handed out one at a time, but nobody waits for another's receipt, so
 * hundreds may be under way. A transaction is signed once and the same bytes are sent again until they are mined; only
 * where its nonce went to another transaction, so that it can never be mined, is it signed anew.
 */
export function createSender(options: SenderOptions): Sender {
  const { network, privateKey } = options
  const cap = options.maxFeePerGas ?? DEFAULT_FEE_CAP
  const timeout = options.timeout ?? DEFAULT_TIMEOUT_MILLISECONDS
  const client = publicClientOf(network)
  // Its sends are never repeated behind our back: a transaction that is already known at its first sending is not ours.
  const broadcaster = publicClientOf(network, { retryCount: 0 })
  const account = privateKeyToAccount(privateKey)
  const outstanding = new Map<number, Signed>()
  const history: Signed[] = []
  let nextNonce = 0
  let feesAt = 0
  let fees: Promise<Fees> | undefined
  let line: Promise<unknown> = Promise.resolve()
  let historySentAt = 0

  /** One at a time, whatever became of those before. */
  function inLine<T>(task: () => Promise<T>): Promise<T> {
    const result = line.then(task)
    line = result.catch(() => undefined)
    return result
  }

  function freshFees(): Promise<Fees> {
    if (fees === undefined || Date.now() - feesAt > FEES_FRESH_MILLISECONDS) {
      feesAt = Date.now()
      fees = currentFees(client, cap)
      fees.catch(() => {
        fees = undefined
      })
    }
    return fees
  }

  async function estimate(intent: Intent): Promise<bigint> {
    if (intent.gas !== undefined) return intent.gas
    const gas = await client.estimateGas({
      account: account.address,
      ...(intent.to === undefined ? {} : { to: intent.to }),
      data: intent.data,
      value: intent.value,
    })
    // Storage that others touch meanwhile may cost more; unused gas is not paid.
    const generous = (gas * 13n) / 10n + 10_000n
    return generous < MAX_GAS ? generous : MAX_GAS
  }

  async function sign(intent: Intent, nonce: number, gas: bigint, chosen: Fees): Promise<Signed> {
    const raw = await account.signTransaction({
      chainId: network.chainId,
      type: 'eip1559',
      nonce,
      gas,
      ...chosen,
      data: intent.data,
      value: intent.value,
      ...(intent.to === undefined ? {} : { to: intent.to }),
    })
    return { nonce, gas, fees: chosen, raw, hashes: [], sentAt: 0, missing: 0 }
  }

  /** Gives the intent a nonce and hands it to the chain. */
  async function submit(intent: Intent, gas: bigint, deadline: number): Promise<Signed> {
    for (let attempt = 0; ; attempt++) {
      const chosen = await persist(freshFees, deadline)
      const taken = await persist(
        () => client.getTransactionCount({ address: account.address, blockTag: 'pending' }),
        deadline,
      )
      // With none of ours under way the chain alone knows: another process may use the key, or a reorg took some back.
      nextNonce = outstanding.size === 0 ? taken : Math.max(nextNonce, taken)
      const signed = await sign(intent, nextNonce, gas, chosen)
      const outcome = await broadcast(signed)
      if (outcome === 'nonce taken') {
        if (attempt >= NONCE_ATTEMPTS) throw nonceContention(account.address)
        // Another of this key's transactions is in the pool under this nonce, or it has just been mined.
        nextNonce = Math.max(nextNonce + 1, taken)
        if (outstanding.size === 0) await delay(POLL_MILLISECONDS)
        continue
      }
      outstanding.set(signed.nonce, signed)
      nextNonce = signed.nonce + 1
      const [hash] = signed.hashes
      if (hash !== undefined) intent.onBroadcast?.(hash)
      return signed
    }
  }

  /** @throws AssayError where the chain will never take it. */
  async function broadcast(signed: Signed): Promise<'sent' | 'unknown' | 'nonce taken'> {
    const first = signed.sentAt === 0
    signed.sentAt = Date.now()
    try {
      const hash = await broadcaster.sendRawTransaction({ serializedTransaction: signed.raw })
      if (!signed.hashes.includes(hash)) signed.hashes.push(hash)
      return 'sent'
    } catch (error) {
      if (isTransportError(error)) return 'unknown'
      const text = error instanceof BaseError ? `${error.details} ${error.message}` : String(error)
      if (/already known|already imported|known transaction/i.test(text)) {
        // Another process with this key sent the very same bytes: one mined transaction must not count for both.
        return first ? 'nonce taken' : 'sent'
      }
      if (/nonce too low|replacement transaction underpriced|nonce.*already/i.test(text)) return 'nonce taken'
      throw new AssayError('The chain does not take the transaction.', {
        code: 'config',
        facts: {
          sender: account.address,
          reason: (error instanceof BaseError ? error.details : text).slice(0, 300),
        },
        next: 'Most often the account has too little ether for gas.',
        cause: error,
      })
    }
  }

  /** Repeats a read while the chain cannot be reached, until the deadline. */
  async function persist<T>(task: () => Promise<T>, deadline: number): Promise<T> {
    for (;;) {
      try {
        return await task()
      } catch (error) {
        if (!isTransportError(error)) throw error
        if (Date.now() > deadline) throw unreachable(network.rpcUrl, error)
        await delay(POLL_MILLISECONDS)
      }
    }
  }

  async function receiptOf(signed: Signed): Promise<TransactionReceipt | undefined> {
    for (const hash of signed.hashes) {
      try {
        return await client.getTransactionReceipt({ hash })
      } catch (error) {
        if (!(error instanceof TransactionReceiptNotFoundError)) throw error
      }
    }
    return undefined
  }

  /** Waits for the receipt; undefined where the nonce went to another transaction. */
  async function settle(
    intent: Intent,
    signed: Signed,
    deadline: number,
  ): Promise<TransactionReceipt | undefined> {
    for (;;) {
      try {
        const receipt = await receiptOf(signed)
        if (receipt !== undefined) return receipt
        if (Date.now() - signed.sentAt > RESEND_MILLISECONDS || signed.hashes.length === 0) {
          const mined = await client.getTransactionCount({ address: account.address, blockTag: 'latest' })
          if (mined > signed.nonce) {
            // The nonce is used: by ours, whose receipt comes, or by one that shuts ours out for good.
            if (signed.hashes.length === 0) await findMined(intent, signed)
            if (signed.missing++ >= MISSING_BEFORE_LOST) return undefined
          } else {
            signed.missing = 0
            if (mined < Math.min(...outstanding.keys())) await resendHistory(mined)
            await raiseIfStuck(intent, signed)
            await broadcast(signed)
          }
        }
      } catch (error) {
        if (!isTransportError(error)) throw error
      }
      if (Date.now() > deadline) {
        throw new AssayError('No receipt of the transaction came in time; it may still be mined.', {
          code: 'unreachable',
          facts: { call: intent.what, transactionHash: signed.hashes.at(-1), nonce: signed.nonce },
          next: 'Look it up again later; do not assume that it failed.',
        })
      }
      await delay(POLL_MILLISECONDS)
    }
  }

  /** The answer to our sending was lost and the nonce is used: looks through the newest blocks for who used it. */
  async function findMined(intent: Intent, signed: Signed): Promise<void> {
    const newest = await client.getBlockNumber()
    for (let back = 0n; back < SEARCH_BLOCKS && back <= newest; back++) {
      const block = await client.getBlock({ blockNumber: newest - back, includeTransactions: true })
      for (const found of block.transactions) {
        if (found.nonce !== signed.nonce || found.from.toLowerCase() !== account.address.toLowerCase())
          continue
        const same =
          found.input === intent.data && (found.to ?? '').toLowerCase() === (intent.to ?? '').toLowerCase()
        if (same && found.value === intent.value) signed.hashes.push(found.hash)
        else signed.missing = MISSING_BEFORE_LOST
        return
      }
    }
    // Not there: whether ours was mined is not known, and sending it again might do it twice.
    throw new AssayError('What became of the transaction cannot be told.', {
      code: 'unreachable',
      facts: { call: intent.what, sender: account.address, nonce: signed.nonce },
      next: 'Compare the state of the contract with what was intended before sending again.',
    })
  }

  /** A chain that lost its last blocks has a gap below our nonces; only the mined transactions of old can fill it. */
  async function resendHistory(from: number): Promise<void> {
    if (Date.now() - historySentAt < RESEND_MILLISECONDS) return
    historySentAt = Date.now()
    for (const old of history) if (old.nonce >= from) await broadcast(old).catch(() => undefined)
  }

  async function raiseIfStuck(intent: Intent, signed: Signed): Promise<void> {
    const current = await freshFees()
    // `current` allows for a doubling; below its half the base fee has passed us.
    if (signed.fees.maxFeePerGas * 2n >= current.maxFeePerGas) return
    const raised = raisedFees(signed.fees, current, cap)
    if (raised === undefined) return
    const replacement = await sign(intent, signed.nonce, signed.gas, raised)
    signed.raw = replacement.raw
    signed.fees = raised
  }

  function remember(signed: Signed): void {
    history.push(signed)
    if (history.length > HISTORY_LENGTH) history.shift()
  }

  async function execute(intent: Intent): Promise<TransactionReceipt> {
    const deadline = Date.now() + timeout
    for (;;) {
      const gas = await persist(() => estimate(intent), deadline).catch((error) => {
        const reason = revertReason(error, intent.abi)
        throw reason === undefined ? cannotEstimate(intent, error) : refusal(intent.what, reason, error)
      })
      const signed = await inLine(() => submit(intent, gas, deadline))
      let receipt: TransactionReceipt | undefined
      try {
        receipt = await settle(intent, signed, deadline)
      } finally {
        outstanding.delete(signed.nonce)
      }
      if (receipt === undefined) continue
      remember(signed)
      if (receipt.status === 'success') return receipt
      throw await explainRevert(intent, receipt)
    }
  }

  /** Why a mined transaction failed: the same call against the state before its block. */
  async function explainRevert(intent: Intent, receipt: TransactionReceipt): Promise<AssayError> {
    let reason = { name: 'Error', text: 'reverted' }
    try {
      await client.call({
        account: account.address,
        ...(intent.to === undefined ? {} : { to: intent.to }),
        data: intent.data,
        value: intent.value,
        blockNumber: receipt.blockNumber,
      })
    } catch (error) {
      reason = revertReason(error, intent.abi) ?? reason
    }
    return new AssayError(`The contract refused ${intent.what}: ${reason.text}`, {
      code: 'conflict',
      facts: { error: reason.name, transactionHash: receipt.transactionHash, gasUsed: receipt.gasUsed },
    })
  }

  return {
    address: account.address,
    async send({ address, abi, functionName, args = [], gas, value = 0n, onBroadcast }) {
      const data = encodeFunctionData({ abi, functionName, args })
      return execute({ what: functionName, to: address, data, value, gas, abi, onBroadcast })
    },
    async deploy({ abi, bytecode, args = [] }) {
      const data = encodeDeployData({ abi, bytecode, args })
      return execute({ what: 'the deployment', to: undefined, data, value: 0n, gas: undefined, abi })
    },
    transferEther(to, amount) {
      return execute({ what: 'the transfer', to, data: '0x', value: amount, gas: undefined, abi: [] })
    },
  }
}

function unreachable(rpcUrl: string, cause: unknown): AssayError {
  return new AssayError('The chain does not answer.', {
    code: 'unreachable',
    facts: { rpcUrl: new URL(rpcUrl).origin },
    next: 'Check that the chain runs and that the address in the network file is right.',
    cause,
  })
}

function cannotEstimate(intent: Intent, cause: unknown): unknown {
  if (cause instanceof AssayError) return cause
  const reason = cause instanceof BaseError ? cause.details || cause.shortMessage : String(cause)
  return new AssayError(`The chain cannot estimate the gas of ${intent.what}.`, {
    code: 'config',
    facts: { reason: reason.slice(0, 300) },
    next: 'Most often the account has too little ether.',
    cause,
  })
}

function nonceContention(address: Address): AssayError {
  return new AssayError('Other programs send with the same key all the time.', {
    code: 'conflict',
    facts: { address },
    next: 'Give every program an account of its own.',
  })
}
