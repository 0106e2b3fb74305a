import { createSender, publicClientOf, readGrantAccount, readSettledRows } from '@assay/chain'
import {
  contractEntry,
  inferenceEscrowAbi,
  manifestOfUri,
  modelRegistryAbi,
  type Network,
  nodeBondAbi,
  opgAbi,
  PERMIT2_ADDRESS,
  type PriceRow,
  paramStoreAbi,
  SCHEME,
  settlementAbi,
  spendingGrantsAbi,
  teeRegistryAbi,
} from '@assay/protocol'
import {
  type Address,
  decodeErrorResult,
  getAbiItem,
  type Hex,
  type Log,
  parseEventLogs,
  stringToHex,
  toEventSelector,
  zeroAddress,
} from 'viem'
import { connectOpenGradient } from '../opengradient/connectOpenGradient.ts'
import { decodeExact, decodeUpto } from '../payment/collectArgument.ts'
import { connectBadReceipts } from './badReceipts.ts'
import { connectDataChallenges } from './dataChallenges.ts'
import type { GatewayChain } from './gatewayChain.ts'
import { permit2Abi } from './permit2Abi.ts'
import { connectPlainReads } from './plainReads.ts'
import { connectRpc } from './rpc.ts'
import { connectStanding } from './standingReads.ts'
import { connectUsedNonces } from './usedNonces.ts'

/** Every error that stands behind a refused payment or a skipped receipt. */
const REFUSALS = [...inferenceEscrowAbi, ...opgAbi, ...permit2Abi]

const topicOf = (name: 'PaymentRejected' | 'SettlementSkipped') =>
  toEventSelector(getAbiItem({ abi: inferenceEscrowAbi, name }))
const TOPICS = {
  PaymentRejected: topicOf('PaymentRejected'),
  SettlementSkipped: topicOf('SettlementSkipped'),
}

/** Parameters change by governance only; a minute-old value is good enough. */
const TIMING_FRESH_MS = 60_000

/** Name of the error that some returned bytes encode, or their start. */
function reasonOf(data: Hex): string {
  try {
    const { errorName, args } = decodeErrorResult({ abi: REFUSALS, data })
    return args === undefined || args.length === 0 ? errorName : `${errorName}(${args.join(', ')})`
  } catch {
    return data.slice(0, 74)
  }
}

/** The chain behind the network file, read and written with the gateway operator's key. */
export function connectChain(network: Network, privateKey: Hex): GatewayChain & { committer: Address } {
  const { OPG, InferenceEscrow, Settlement, ModelRegistry, NodeBond, ParamStore } = network.contracts
  const client = publicClientOf(network)
  const sender = createSender({ network, privateKey })
  const rpc = connectRpc(network)
  const plain = connectPlainReads(rpc, network.contracts)
  const escrow = { address: InferenceEscrow, abi: inferenceEscrowAbi } as const
  const settlement = { address: Settlement, abi: settlementAbi } as const
  let timing: { at: number; value: { challengeWindow: bigint; attestTimeout: bigint } } | undefined

  /** The parser tries every event of the contract on every log, so it sees only those that it is asked for. */
  function eventsOf<Name extends 'PaymentRejected' | 'SettlementSkipped'>(logs: Log[], eventName: Name) {
    const topic = TOPICS[eventName]
    const asked = logs.filter(
      ({ address, topics }) => topics[0] === topic && address.toLowerCase() === InferenceEscrow.toLowerCase(),
    )
    return parseEventLogs({ abi: inferenceEscrowAbi, eventName, logs: asked })
  }

  return {
    ...connectDataChallenges(network, client, sender),
    ...connectBadReceipts(network, client),
    ...connectStanding(network, client),
    openGradient: connectOpenGradient(network, client, sender),
    committer: sender.address.toLowerCase() as Address,
    async till() {
      const till = await client.readContract({ ...escrow, functionName: 'tillOf', args: [sender.address] })
      return till === zeroAddress ? undefined : till
    },
    async openTill(url) {
      await sender.send({ ...escrow, functionName: 'openTill', args: [url] })
    },
    async head() {
      const { number, timestamp } = await client.getBlock({ blockTag: 'latest' })
      return { number, timestamp }
    },
    async price(modelId): Promise<PriceRow> {
      const models = { address: ModelRegistry, abi: modelRegistryAbi } as const
      const version = await client.readContract({
        ...models,
        functionName: 'currentPriceVersion',
        args: [modelId],
      })
      const [perCall, inputPrice, outputPrice] = await client.readContract({
        ...models,
        functionName: 'priceRow',
        args: [modelId, version],
      })
      return { perCall, inputPrice, outputPrice }
    },
    async model(modelId) {
      const [, publishedAt, , , uri, weightsHash] = await client.readContract({
        address: ModelRegistry,
        abi: modelRegistryAbi,
        functionName: 'model',
        args: [modelId],
      })
      return publishedAt === 0n ? undefined : { weightsHash, manifest: manifestOfUri(uri, modelId) }
    },
    async funds(payer) {
      const token = { address: OPG, abi: opgAbi } as const
      const [balance, allowance] = await Promise.all([
        client.readContract({ ...token, functionName: 'balanceOf', args: [payer] }),
        client.readContract({ ...token, functionName: 'allowance', args: [payer, PERMIT2_ADDRESS] }),
      ])
      return { balance, allowance }
    },
    noncesUsedBy: connectUsedNonces(rpc, network.contracts),
    async nonceUnused(payment) {
      try {
        return await plain.nonceUnused(payment)
      } catch {
        // Once more, with all the patience of the ordinary client.
      }
      if (payment.scheme === 'exact') {
        const used = await client.readContract({
          address: OPG,
          abi: opgAbi,
          functionName: 'authorizationState',
          args: [payment.payer, payment.paymentNonce],
        })
        return !used
      }
      // Permit2: bit `nonce & 255` of word `nonce >> 8`.
      const nonce = payment.upto.permit.nonce
      const word = await client.readContract({
        address: PERMIT2_ADDRESS,
        abi: permit2Abi,
        functionName: 'nonceBitmap',
        args: [payment.payer, nonce >> 8n],
      })
      return ((word >> (nonce & 255n)) & 1n) === 0n
    },
    lastHeight: () =>
      client.readContract({ ...settlement, functionName: 'lastHeight', args: [sender.address] }),
    async batches(batchIds) {
      try {
        return await plain.batches(batchIds)
      } catch {
        // Once more, with all the patience of the ordinary client.
      }
      return Promise.all(
        batchIds.map((batchId) =>
          client.readContract({ ...settlement, functionName: 'batch', args: [batchId] }),
        ),
      )
    },
    async committerOf(batchId) {
      const batch = await client.readContract({ ...settlement, functionName: 'batch', args: [batchId] })
      return batch.committer.toLowerCase() as Address
    },
    async payments(requestIds) {
      try {
        return await plain.payments(requestIds)
      } catch {
        // Once more, with all the patience of the ordinary client.
      }
      return Promise.all(
        requestIds.map(async (requestId) => {
          const payment = await client.readContract({ ...escrow, functionName: 'payment', args: [requestId] })
          return { state: payment[5] }
        }),
      )
    },
    async timing() {
      if (timing !== undefined && performance.now() - timing.at < TIMING_FRESH_MS) return timing.value
      const params = { address: ParamStore, abi: paramStoreAbi, functionName: 'get' } as const
      const [challengeWindow, attestTimeout] = await Promise.all([
        client.readContract({ ...params, args: [stringToHex('CHALLENGE_WINDOW', { size: 32 })] }),
        client.readContract({ ...params, args: [stringToHex('ATTEST_TIMEOUT', { size: 32 })] }),
      ])
      timing = { at: performance.now(), value: { challengeWindow, attestTimeout } }
      return timing.value
    },
    keyCounts: ({ key, node, engineClass, bonded, at }) =>
      client.readContract({
        address: network.contracts.TeeRegistry,
        abi: teeRegistryAbi,
        functionName: 'isKeyValidAt',
        args: [key, node, engineClass, bonded, at],
      }),
    async coverage(operators) {
      const covered = operators.map(async (operator): Promise<[Address, bigint]> => {
        const bond = { address: NodeBond, abi: nodeBondAbi } as const
        return [
          operator,
          await client.readContract({ ...bond, functionName: 'coverageOf', args: [operator] }),
        ]
      })
      return new Map(await Promise.all(covered))
    },
    async commit({ height, dataHash }, groups) {
      const args = [height, dataHash, groups] as const
      return (await sender.send({ ...settlement, functionName: 'commit', args })).transactionHash
    },
    async commitTransaction(batchId, block) {
      const logs = await client.getContractEvents({
        ...settlement,
        eventName: 'BatchCommitted',
        args: { batchId },
        fromBlock: block,
        toBlock: block,
      })
      return logs[0]?.transactionHash ?? undefined
    },
    finalise: async (batchId) =>
      (await sender.send({ ...settlement, functionName: 'finalise', args: [batchId] })).transactionHash,
    expire: async (batchId) =>
      (await sender.send({ ...settlement, functionName: 'expire', args: [batchId] })).transactionHash,
    async collect(items, onBroadcast) {
      const exact = items[0]?.scheme === SCHEME.exact
      const receipt = exact
        ? await sender.send({
            ...escrow,
            functionName: 'collectExact',
            args: [items.map((item) => decodeExact(item.collect))],
            onBroadcast,
          })
        : await sender.send({
            ...escrow,
            functionName: 'collectUpto',
            args: [items.map((item) => ({ ...decodeUpto(item.collect), amount: item.amount }))],
            onBroadcast,
          })
      const rejected = eventsOf(receipt.logs, 'PaymentRejected').map(({ args }): [Hex, string] => [
        args.requestId,
        reasonOf(args.reason),
      ])
      return { transactionHash: receipt.transactionHash, rejected: new Map(rejected) }
    },
    grantAccount: (grantId) =>
      plain.grantAccount(grantId).catch(() => readGrantAccount(client, network, grantId)),
    rowPayments: (batchId, committedBlock) => readSettledRows(client, network, { batchId, committedBlock }),
    async settleRows(batchId, rows) {
      const grants = { address: network.contracts.SpendingGrants, abi: spendingGrantsAbi } as const
      return (await sender.send({ ...grants, functionName: 'settle', args: [batchId, rows] })).transactionHash
    },
    async refundDueAt(requestId) {
      const payment = await client.readContract({ ...escrow, functionName: 'payment', args: [requestId] })
      const lockedAt = payment[4]
      const timeout = await client.readContract({
        address: ParamStore,
        abi: paramStoreAbi,
        functionName: 'getAt',
        args: [stringToHex('REFUND_TIMEOUT', { size: 32 }), lockedAt],
      })
      return lockedAt + timeout
    },
    refund: async (requestId) =>
      (await sender.send({ ...escrow, functionName: 'refundTimeout', args: [[requestId]] })).transactionHash,
    takings: (modelId, node) =>
      client.readContract({
        address: network.contracts.SpendingGrants,
        abi: spendingGrantsAbi,
        functionName: 'takings',
        args: [modelId, node],
      }),
    async passOn(modelId, node) {
      const grants = { address: network.contracts.SpendingGrants, abi: spendingGrantsAbi } as const
      return (await sender.send({ ...grants, functionName: 'passOn', args: [modelId, node] })).transactionHash
    },
    async settle(items) {
      const receipt = await sender.send({
        ...escrow,
        functionName: 'settle',
        args: [items.map(({ batchId, entry, path }) => ({ batchId, entry: contractEntry(entry), path }))],
      })
      const skipped = eventsOf(receipt.logs, 'SettlementSkipped').map(({ args }): [Hex, string] => [
        args.requestId,
        reasonOf(args.reason),
      ])
      return { transactionHash: receipt.transactionHash, skipped: new Map(skipped) }
    },
  }
}
