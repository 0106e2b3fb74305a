import { publicClientOf, readChainView, readTeeRules } from '@assay/chain'
import type { BatchEntry, Evidence, Inclusion, Network, PriceRow } from '@assay/protocol'
import {
  ENGINE_CLASS,
  inferenceEscrowAbi,
  modelRegistryAbi,
  opgAbi,
  PERMIT2_ADDRESS,
  teeRegistryAbi,
} from '@assay/protocol'
import { type ChainView, type Rules, rulesOfEvidence } from '@assay/verify'
import { type Address, type Hex, TransactionReceiptNotFoundError } from 'viem'

/**
 * What the SDK reads from the chain. The default asks the network's RPC; give your own to read through a light client
 * or a node that you run.
 */
export type ChainReader = {
  /** Till of a gateway: the only address that may be paid. The zero address where none was opened. */
  tillOf(gateway: Address): Promise<Address>
  /** What the payer lets Permit2 move, OPG base units. */
  permit2Allowance(payer: Address): Promise<bigint>
  /** What the registry charges for a model now; undefined for an unpublished model. */
  priceOf(modelId: Hex): Promise<PriceRow | undefined>
  /** Everything that the checklist needs about one receipt. */
  view(
    signed: BatchEntry,
    extra?: { inclusion?: Inclusion | undefined; evidence?: Evidence | undefined },
  ): Promise<ChainView>
  /**
   * A registered enclave key as of the last block; undefined for a key that the registry does not know.
   * @param engineClass for which it is to be valid; that of a model inside the enclave by default
   */
  enclaveKey(key: Address, engineClass?: number): Promise<EnclaveKey | undefined>
  /** What the network rules on evidence of this key, as of its admission. */
  enclaveRules(key: EnclaveKey, evidence: Evidence): Promise<Rules>
  /** Where the publisher put the model's manifest; undefined for an unpublished model. */
  manifestUri(modelId: Hex): Promise<string | undefined>
  /** Whether a mined, successful transaction holds the commit of this batch. Throws where the chain does not say. */
  isCommit(transactionHash: Hex, batchId: Hex): Promise<boolean>
}

/** TeeRegistry's record of a key. */
export type EnclaveKey = {
  node: Address
  hardwareType: Hex
  rootHash: Hex
  measurement: Hex
  evidenceHash: Hex
  /** Unix seconds. */
  validFrom: bigint
  /** Whether receipts of the engine class count under it now: key, measurement, root and hardware. */
  valid: boolean
}

/** The default reader: the network file's RPC. */
export function chainReaderOf(network: Network): ChainReader {
  const client = publicClientOf(network)
  const { contracts } = network
  return {
    tillOf: (gateway) =>
      client.readContract({
        address: contracts.InferenceEscrow,
        abi: inferenceEscrowAbi,
        functionName: 'tillOf',
        args: [gateway],
      }),
    permit2Allowance: (payer) =>
      client.readContract({
        address: contracts.OPG,
        abi: opgAbi,
        functionName: 'allowance',
        args: [payer, PERMIT2_ADDRESS],
      }),
    async priceOf(modelId) {
      const registry = { address: contracts.ModelRegistry, abi: modelRegistryAbi } as const
      const version = await client.readContract({
        ...registry,
        functionName: 'currentPriceVersion',
        args: [modelId],
      })
      if (version === 0n) return undefined
      const [perCall, inputPrice, outputPrice] = await client.readContract({
        ...registry,
        functionName: 'priceRow',
        args: [modelId, version],
      })
      return { perCall, inputPrice, outputPrice }
    },
    view: (signed, extra = {}) => readChainView(client, network, signed, extra),
    async enclaveKey(key, engineClass = ENGINE_CLASS.enclave) {
      const registry = { address: contracts.TeeRegistry, abi: teeRegistryAbi } as const
      const { number: blockNumber, timestamp } = await client.getBlock()
      const [node, hardwareType, rootHash, measurement, , evidenceHash, validFrom] =
        await client.readContract({
          ...registry,
          blockNumber,
          functionName: 'key',
          args: [key],
        })
      if (validFrom === 0n) return undefined
      const valid = await client.readContract({
        ...registry,
        blockNumber,
        functionName: 'isKeyValidAt',
        args: [key, node, engineClass, false, timestamp],
      })
      return { node, hardwareType, rootHash, measurement, evidenceHash, validFrom, valid }
    },
    enclaveRules: ({ hardwareType, validFrom }, evidence) =>
      readTeeRules(client, network, { hardwareType, names: rulesOfEvidence(evidence) ?? [], at: validFrom }),
    async manifestUri(modelId) {
      const model = await client.readContract({
        address: contracts.ModelRegistry,
        abi: modelRegistryAbi,
        functionName: 'model',
        args: [modelId],
      })
      return model[1] === 0n ? undefined : model[4]
    },
    async isCommit(transactionHash, batchId) {
      const mined = await client.getTransactionReceipt({ hash: transactionHash }).catch((error: unknown) => {
        // Anything else says nothing of the transaction.
        if (error instanceof TransactionReceiptNotFoundError) return undefined
        throw error
      })
      return (
        mined?.status === 'success' &&
        mined.logs.some(
          (log) =>
            log.address.toLowerCase() === contracts.Settlement.toLowerCase() && log.topics[1] === batchId,
        )
      )
    },
  }
}
