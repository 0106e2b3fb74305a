import {
  type Deployment,
  HARDWARE_NITRO_SIM,
  MODE,
  type Receipt,
  receiptDigest,
  requestIdOf,
  type SignedReceipt,
  signDigest,
  tag,
} from '@assay/protocol'
import { BATCH_STATE, type ChainView } from '@assay/verify'
import { type Address, type Hex, toHex, zeroHash } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'

/** A key for measurements only: the hash of a public text. */
const NODE_KEY = tag('bench node key')
const address = (name: string) => `0x${tag(`bench ${name}`).slice(26)}` as Address
const ESCROW = address('escrow')
const NOW = 1_750_000_000n
const PRICE = { perCall: 1_000n, inputPrice: 20n, outputPrice: 60n }

export const sampleDeployment: Deployment = {
  chainId: 31337,
  settlement: address('settlement'),
  deploymentId: tag('bench deployment'),
}
export const sampleCommitter = address('committer')

/** Receipt `index` of a busy gateway: 16 payers, one model, one node. */
export function sampleReceipt(index: number): Receipt {
  const payer = address(`payer ${index % 16}`)
  return {
    version: 1,
    requestId: requestIdOf({
      chainId: sampleDeployment.chainId,
      escrow: ESCROW,
      payer,
      scheme: 1,
      paymentNonce: toHex(index + 1, { size: 32 }),
    }),
    payer,
    node: address('node'),
    key: privateKeyToAddress(NODE_KEY).toLowerCase() as Address,
    seq: BigInt(index + 1),
    committer: sampleCommitter,
    includeBy: NOW + 600n,
    modelId: tag('bench model'),
    priceVersion: 1n,
    engineClass: 0,
    mode: MODE.tee,
    status: 0,
    requestHash: tag(`request ${index}`),
    responseHash: tag(`response ${index}`),
    evidenceHash: zeroHash,
    inputUnits: 40n,
    outputUnits: 100n,
    price: PRICE.perCall + 40n * PRICE.inputPrice + 100n * PRICE.outputPrice,
    valueAtRisk: 0n,
    anchorBlock: 100n,
    anchorHash: tag('anchor'),
    issuedAt: NOW,
  }
}

export async function signSample(receipt: Receipt): Promise<SignedReceipt> {
  return { receipt, signature: await signDigest(receiptDigest(receipt, sampleDeployment), NODE_KEY) }
}

/** What the chain would say about any of the sample receipts. */
export function sampleView(): ChainView {
  const always = { validFrom: 1n, revokedAt: 0n }
  const { node, key } = sampleReceipt(0)
  const nothing: Hex = zeroHash
  return {
    deployment: sampleDeployment,
    escrow: ESCROW,
    blockNumber: 200n,
    now: NOW + 10n,
    key: {
      ...always,
      node,
      hardwareType: HARDWARE_NITRO_SIM,
      rootHash: tag('root'),
      measurement: tag('measurement'),
      engineClasses: 1,
      evidenceHash: tag(`evidence of ${key}`),
      bonded: false,
    },
    hardware: always,
    root: always,
    measurement: { ...always, engineClasses: 1 },
    price: { ...PRICE, validFrom: 1n },
    publisher: address('publisher'),
    anchor: { hash: tag('anchor'), timestamp: NOW - 2n },
    batch: {
      batchId: nothing,
      committer: sampleCommitter,
      height: 1n,
      root: nothing,
      exposure: 0n,
      count: 1n,
      committedAt: NOW + 2n,
      committedBlock: 101n,
      quorumAt: 0n,
      finalisedAt: 0n,
      state: BATCH_STATE.committed,
    },
    payment: null,
    grant: null,
  }
}
