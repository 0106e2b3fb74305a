import { createRecentReadings, readGrantAccount } from '@assay/chain'
import {
  formatOpg,
  GRANT_LEEWAY_SECONDS,
  inferenceEscrowAbi,
  modelRegistryAbi,
  type Network,
  opgAbi,
} from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import { zeroAddress, zeroHash } from 'viem'
import type { Anchor } from '../signReceipt.ts'
import type { CurrentPrice, NodeChain } from './nodeChain.ts'

/**
 * Blocks below the head at which receipts are anchored. A chain that loses its last seconds (a reorg, a killed
 * development chain) must not take the anchor of a signed receipt with it; nothing gets weaker by an older one.
 */
const ANCHOR_DEPTH = 12n
const POLL_MS = 1_000
/** Age at which a till is read again, ms: it never changes, but a reorg can undo its opening. */
const TILL_MS = 60_000
const MAX_TILLS = 1_024
/** Age at which a grant's account is read again, ms, behind the call that asks: the next one hears of a revocation. */
const ACCOUNT_MS = 1_000
/**
 * Age up to which a grant's account lets a call begin, ms. A revocation that was not heard of costs no node its answer
 * where that is issued within the leeway (docs/spec.md §13): half of it is left for the answer. What was paid in cannot
 * leave sooner either: a deposit can be withdrawn when all calls from before the end are settled.
 */
const ACCOUNT_USABLE_MS = (Number(GRANT_LEEWAY_SECONDS) * 1000) / 2
const MAX_ACCOUNTS = 4_096

export type WatchChainParameters = {
  client: PublicClient
  network: Network
  modelIds: readonly Hex[]
  onError: (error: unknown) => void
}

/** Follows the head and the prices. The first reading is awaited, so a chain that does not answer is an error here. */
export async function watchChain(parameters: WatchChainParameters): Promise<NodeChain> {
  const { client, network, modelIds, onError } = parameters
  const { InferenceEscrow, ModelRegistry, OPG } = network.contracts
  const prices = new Map<Hex, CurrentPrice>()
  const tills = createRecentReadings({
    async read(gateway: Address) {
      const till = await client.readContract({
        address: InferenceEscrow,
        abi: inferenceEscrowAbi,
        functionName: 'tillOf',
        args: [gateway],
      })
      // Strangers may name any number of gateways; only real ones are remembered.
      return till === zeroAddress ? undefined : till
    },
    freshMs: TILL_MS,
    maxKeys: MAX_TILLS,
  })
  const accounts = createRecentReadings({
    read: (grantId: Hex) => readGrantAccount(client, network, grantId),
    freshMs: ACCOUNT_MS,
    usableMs: ACCOUNT_USABLE_MS,
    maxKeys: MAX_ACCOUNTS,
  })
  let anchor: Anchor | undefined

  const poll = async (): Promise<void> => {
    const safe = await client.getBlock({ blockTag: 'safe' }).catch(() => undefined)
    const head = await client.getBlockNumber({ cacheTime: 0 })
    const deep = head > ANCHOR_DEPTH ? head - ANCHOR_DEPTH : 0n
    const block =
      safe !== undefined && safe.number <= deep ? safe : await client.getBlock({ blockNumber: deep })
    anchor = { number: block.number, hash: block.hash, timestamp: block.timestamp }
    for (const modelId of modelIds) {
      const registry = { address: ModelRegistry, abi: modelRegistryAbi } as const
      const version = await client.readContract({
        ...registry,
        functionName: 'currentPriceVersion',
        args: [modelId],
      })
      if (version === 0n) {
        prices.delete(modelId)
        continue
      }
      if (prices.get(modelId)?.version === version) continue
      const [perCall, inputPrice, outputPrice] = await client.readContract({
        ...registry,
        functionName: 'priceRow',
        args: [modelId, version],
      })
      prices.set(modelId, { version, row: { perCall, inputPrice, outputPrice } })
    }
  }

  await poll()
  let closed = false
  let timer: NodeJS.Timeout
  const again = (): void => {
    timer = setTimeout(() => {
      poll()
        .catch(onError)
        .finally(() => {
          if (!closed) again()
        })
    }, POLL_MS)
  }
  again()

  return {
    anchor: () => anchor,
    price: (modelId) => prices.get(modelId),
    tillOf: tills.lately,
    async whyUncollectable(payment) {
      // Asked together, for the model waits for the answers.
      const [[, , , , , state], consumed, balance] = await Promise.all([
        client.readContract({
          address: InferenceEscrow,
          abi: inferenceEscrowAbi,
          functionName: 'payment',
          args: [payment.requestId],
        }),
        payment.scheme === 'upto'
          ? zeroHash
          : client.readContract({
              address: OPG,
              abi: opgAbi,
              functionName: 'consumedAuthorization',
              args: [payment.payer, payment.paymentNonce],
            }),
        client.readContract({
          address: OPG,
          abi: opgAbi,
          functionName: 'balanceOf',
          args: [payment.payer],
        }),
      ])
      if (state === 1) return undefined
      if (state !== 0) return 'this payment has been used'
      // Cancelled, or spent: on another recipient, or pushed to the till by a stranger, which escrow credits once
      // somebody collects it; the payment is locked then, and was accepted above.
      if (consumed !== zeroHash) return 'this authorisation has been used or cancelled'
      if (balance < payment.amount) {
        return `the payer has ${formatOpg(balance)}, the payment authorises ${formatOpg(payment.amount)}`
      }
      return undefined
    },
    grantAccount: accounts.lately,
    grantAccountNow: accounts.now,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
