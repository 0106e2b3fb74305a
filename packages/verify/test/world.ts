import {
  type Batch,
  type Bundle,
  batchIdOf,
  buildBatch,
  canonicalJsonBytes,
  type Deployment,
  ENGINE_CLASS,
  type Evidence,
  enclaveBinding,
  evidenceToJson,
  HARDWARE_NITRO_SIM,
  MODE,
  type ModelManifest,
  modelIdOf,
  NO_KEY_HASH,
  nitroMeasurement,
  priceOf,
  proveInclusion,
  type Receipt,
  receiptDigest,
  requestAuthDigest,
  requestHash,
  requestIdOf,
  responseHash,
  SCHEME,
  type SignedReceipt,
  STATUS,
  signDigest,
} from '@assay/protocol'
import { type Address, bytesToHex, type Hex, hexToBytes, keccak256, toHex, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { BATCH_STATE, type BatchView, type ChainView, PAYMENT_STATE } from '../src/index.ts'
import { simulateNitro } from './simulatedNitro.ts'

/** A whole network in memory, as far as a verifier can see it: one key, one model, one gateway, one payer. */
export const deployment: Deployment = {
  chainId: 31337,
  settlement: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
  deploymentId: keccak256('0x1234'),
}
export const escrow: Address = '0xdc64a140aa3e981100a9beca4e685f962f0cf6c9'
export const gateway: Address = '0x70997970c51812dc3a010c7d01b50e0d17dc79c8'
export const node: Address = '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'
export const payerKey = generatePrivateKey()
export const payer = privateKeyToAccount(payerKey).address.toLowerCase() as Address
export const enclaveKey = generatePrivateKey()
export const key = privateKeyToAccount(enclaveKey).address.toLowerCase() as Address
export const issuedAt = 1_770_000_500n
const registeredAt = 1_770_000_000

export const manifest: ModelManifest = {
  name: 'test-model',
  engine: 'llama',
  files: [{ name: 'weights.gguf', sha256: keccak256('0x01'), bytes: 100n }],
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['tee'],
}
export const price = { perCall: 10n, inputPrice: 2n, outputPrice: 3n }

const hashes = {
  tlsKeyHash: NO_KEY_HASH,
  hpkeKeyHash: NO_KEY_HASH,
  anchorBlock: 90n,
  anchorHash: keccak256('0x90'),
}
const simulated = await simulateNitro({
  at: registeredAt - 30,
  userData: hexToBytes(enclaveBinding(deployment, { node, key, ...hashes })),
})
export const evidence: Evidence = { kind: 'nitro-sim', document: simulated.document, ...hashes }
const [pcr0, pcr1, pcr2] = [0, 1, 2].map((index) => bytesToHex(simulated.pcrs.get(index) as Uint8Array))
const measurement = nitroMeasurement(pcr0 as Hex, pcr1 as Hex, pcr2 as Hex)

const encoder = new TextEncoder()
export const request = {
  method: 'POST',
  path: '/v1/chat/completions',
  headers: ['x-assay-verification:tee'],
  body: encoder.encode('{"model":"test-model","messages":[{"role":"user","content":"Capital of France?"}]}'),
}
export const response = {
  status: 200,
  contentType: 'application/json',
  body: encoder.encode('{"choices":[{"message":{"role":"assistant","content":"Paris."}}]}'),
}

export function makeReceipt(changes: Partial<Receipt> = {}): Receipt {
  const units = { inputUnits: 40n, outputUnits: 3n }
  const seq = changes.seq ?? 1n
  return {
    version: 1,
    requestId: requestIdOf({
      chainId: deployment.chainId,
      escrow,
      payer,
      scheme: SCHEME.upto,
      paymentNonce: toHex(seq, { size: 32 }),
    }),
    payer,
    node,
    key,
    seq,
    committer: gateway,
    includeBy: issuedAt + 60n,
    modelId: modelIdOf(manifest),
    priceVersion: 1n,
    engineClass: ENGINE_CLASS.enclave,
    mode: MODE.tee,
    status: STATUS.complete,
    requestHash: requestHash(request),
    responseHash: responseHash(response),
    evidenceHash: zeroHash,
    ...units,
    price: priceOf(price, { ...units, failed: false }),
    valueAtRisk: 0n,
    anchorBlock: 90n,
    anchorHash: keccak256('0x5a'),
    issuedAt,
    ...changes,
  }
}

export async function signReceipt(receipt: Receipt, privateKey: Hex = enclaveKey): Promise<SignedReceipt> {
  return { receipt, signature: await signDigest(receiptDigest(receipt, deployment), privateKey) }
}

/** What an honest chain says about `makeReceipt()`. */
export function makeView(changes: Partial<ChainView> = {}): ChainView {
  const open = { validFrom: BigInt(registeredAt) - 1000n, revokedAt: 0n }
  return {
    deployment,
    escrow,
    blockNumber: 120n,
    now: issuedAt + 30n,
    key: {
      node,
      hardwareType: HARDWARE_NITRO_SIM,
      rootHash: simulated.rootHash,
      measurement,
      engineClasses: 0b001,
      evidenceHash: keccak256(canonicalJsonBytes(evidenceToJson(evidence))),
      validFrom: BigInt(registeredAt),
      revokedAt: 0n,
      bonded: false,
    },
    hardware: open,
    root: open,
    measurement: { ...open, engineClasses: 0b001 },
    price: { ...price, validFrom: BigInt(registeredAt) },
    publisher: '0x976ea74026e726554db657fa54763abd0c3a0aa9',
    anchor: { hash: keccak256('0x5a'), timestamp: issuedAt - 1n },
    batch: null,
    payment: null,
    grant: null,
    ...changes,
  }
}

/** What the chain says of a batch that nobody has judged yet, but for the changes. */
export function committedView(batch: Batch, changes: Partial<BatchView> = {}): BatchView {
  return {
    ...batch.header,
    batchId: batch.batchId,
    committedAt: issuedAt + 2n,
    committedBlock: 100n,
    quorumAt: 0n,
    finalisedAt: 0n,
    state: BATCH_STATE.committed,
    ...changes,
  }
}

/** Times of a batch that is final, as nothing came in its way. */
export const FINAL: Partial<BatchView> = {
  quorumAt: issuedAt + 5n,
  finalisedAt: issuedAt + 12n,
  state: BATCH_STATE.final,
}

/** A full valid bundle among three receipts of one batch, and the chain's view of it. */
export async function makeBundle(): Promise<{ bundle: Bundle; view: ChainView }> {
  const signed = await signReceipt(makeReceipt())
  const others = [
    await signReceipt(makeReceipt({ seq: 2n })),
    await signReceipt(makeReceipt({ seq: 3n, priceVersion: 2n })),
  ]
  const batch = buildBatch({ deployment, committer: gateway, height: 1n, receipts: [signed, ...others] })
  const { entry: _, ...proof } = proveInclusion(batch, signed.receipt.requestId)
  const { receipt } = signed
  const auth = {
    requestId: receipt.requestId,
    requestHash: receipt.requestHash,
    modelId: receipt.modelId,
    maxPrice: 1000n,
    committer: gateway,
    deadline: issuedAt + 300n,
  }
  const bundle: Bundle = {
    ...signed,
    request,
    response,
    requestAuth: { auth, signature: await signDigest(requestAuthDigest(auth, deployment), payerKey) },
    inclusion: { ...batch.header, batchId: batchIdOf(batch.header), ...proof },
    evidence,
    model: manifest,
  }
  const view = makeView({
    batch: committedView(batch, FINAL),
    payment: { payer, gateway, amount: receipt.price, paid: receipt.price, state: PAYMENT_STATE.paid },
  })
  return { bundle, view }
}
