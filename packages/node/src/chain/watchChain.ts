import { readGrantAccount } from '@assay/chain'
import { formatOpg, inferenceEscrowAbi, modelRegistryAbi, type Network, opgAbi } from '@assay/protocol'
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
/** How long a till is remembered, ms: it never changes, but a reorg can undo its opening. */
const TILL_MS = 60_000
const MAX_TILLS = 1_024
/** How long a grant's account is remembered, ms: a revocation must be heard within seconds. */
const ACCOUNT_MS = 1_000
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
  const tills = new Map<Address, { till: Address; until: number }>()
  const accounts = new Map<Hex, { account: ReturnType<NodeChain['grantAccount']>; until: number }>()
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
    async tillOf(gateway) {
      const known = tills.get(gateway)
      if (known !== undefined && known.until > Date.now()) return known.till
      const till = await client.readContract({
        address: InferenceEscrow,
        abi: inferenceEscrowAbi,
        functionName: 'tillOf',
        args: [gateway],
      })
      if (till === zeroAddress) return undefined
      // Strangers may name any number of gateways; only real ones get here, and not without limit.
      if (tills.size >= MAX_TILLS) tills.clear()
      tills.set(gateway, { till, until: Date.now() + TILL_MS })
      return till
    },
    async whyUncollectable(payment) {
      const [, , , , , state] = await client.readContract({
        address: InferenceEscrow,
        abi: inferenceEscrowAbi,
        functionName: 'payment',
        args: [payment.requestId],
      })
      if (state === 1) return undefined
      if (state !== 0) return 'this payment has been used'
      if (payment.scheme === 'exact') {
        const consumed = await client.readContract({
          address: OPG,
          abi: opgAbi,
          functionName: 'consumedAuthorization',
          args: [payment.payer, payment.paymentNonce],
        })
        // Cancelled, or spent: on another recipient, or pushed to the till by a stranger, which escrow credits once
        // somebody collects it; the payment is locked then, and was accepted above.
        if (consumed !== zeroHash) return 'this authorisation has been used or cancelled'
      }
      const balance = await client.readContract({
        address: OPG,
        abi: opgAbi,
        functionName: 'balanceOf',
        args: [payment.payer],
      })
      if (balance < payment.amount) {
        return `the payer has ${formatOpg(balance)}, the payment authorises ${formatOpg(payment.amount)}`
      }
      return undefined
    },
    grantAccount(grantId) {
      const known = accounts.get(grantId)
      if (known !== undefined && known.until > Date.now()) return known.account
      const account = readGrantAccount(client, network, grantId)
      if (accounts.size >= MAX_ACCOUNTS) accounts.clear()
      accounts.set(grantId, { account, until: Date.now() + ACCOUNT_MS })
      account.catch(() => accounts.delete(grantId))
      return account
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
