/** The fixed world that every vector is made in: keys, a deployment, a model, a request and its answer. */

import { type Hex, keccak256 } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import {
  type BatchEntry,
  type Deployment,
  deploymentIdOf,
  type Json,
  listedHeaders,
  type ModelManifest,
  modelIdOf,
  NO_GRANT,
  priceOf,
  type Receipt,
  receiptDigest,
  receiptToJson,
  requestHash,
  requestIdOf,
  responseHash,
  type SignedReceipt,
  type SumNode,
  signDigest,
} from '../../src/index.ts'

export type Vector = { [name: string]: Json }

export const utf8 = (text: string) => new TextEncoder().encode(text)
export const word = (name: string): Hex => keccak256(utf8(`vector ${name}`))
export const account = (name: string) => `0x${word(name).slice(26)}` as Hex

/** Keys of the vectors: hashes of public texts, worth nothing anywhere. */
export const nodeKey = word('node key')
export const payerKey = word('payer key')
export const validatorKey = word('validator key')
export const key = privateKeyToAddress(nodeKey).toLowerCase() as Hex
export const payer = privateKeyToAddress(payerKey).toLowerCase() as Hex
export const committer = account('committer')
export const escrow = account('escrow')

export const deployer = account('deployer')
export const entropy = word('entropy')
export const deployment: Deployment = {
  chainId: 31337,
  settlement: account('settlement'),
  deploymentId: deploymentIdOf(31337, deployer, entropy),
}
export const manifest: ModelManifest = {
  name: 'smollm2-135m-instruct',
  engine: 'llama',
  files: [{ name: 'smollm2-135m-instruct.Q4_1.gguf', sha256: word('weights'), bytes: 98_304_000n }],
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['tee'],
}
export const modelId = modelIdOf(manifest)

export const request = {
  method: 'POST',
  path: '/v1/chat/completions?trace=1',
  headers: listedHeaders({ 'X-Assay-Verification': ' auto\t', 'anthropic-beta': ['one', 'two'] }),
  body: utf8('{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"Où est Paris ?"}]}'),
}
export const response = {
  status: 200,
  contentType: 'application/json',
  body: utf8('{"choices":[{"message":{"role":"assistant","content":"En France. 🇫🇷"}}]}'),
}
export const stream =
  'data: {"choices":[{"delta":{"content":"a"}}]}\n\n: keep-alive\n\ndata: {"x":": no comment"}\n\n: assay-receipt abc\ndata: [DONE]\n\n'

export const prices = { perCall: 1_000n, inputPrice: 20n, outputPrice: 60n }

export function receiptOf(index: number, fields: Partial<Receipt> = {}): Receipt {
  const usage = { inputUnits: BigInt(20 + index), outputUnits: BigInt(5 + index), failed: false }
  return {
    version: 1,
    requestId: requestIdOf({
      chainId: 31337,
      escrow,
      payer,
      scheme: 1,
      paymentNonce: word(`nonce ${index}`),
    }),
    payer,
    node: account('node'),
    key,
    seq: BigInt(index + 1),
    committer,
    includeBy: 1_750_000_600n,
    modelId,
    priceVersion: 1n,
    engineClass: 0,
    mode: 1,
    status: 0,
    requestHash: requestHash(request),
    responseHash: responseHash(response),
    evidenceHash: `0x${'00'.repeat(32)}`,
    inputUnits: usage.inputUnits,
    outputUnits: usage.outputUnits,
    price: priceOf(prices, usage),
    valueAtRisk: 10n ** 18n,
    anchorBlock: 1234n,
    anchorHash: word('anchor'),
    issuedAt: 1_750_000_000n,
    ...fields,
  }
}

export async function signed(receipt: Receipt): Promise<SignedReceipt> {
  return { receipt, signature: await signDigest(receiptDigest(receipt, deployment), nodeKey) }
}

/** Receipts over several payers, grants, nodes and price versions, so that rows have odd and even sizes. */
export async function receiptsOf(count: number): Promise<BatchEntry[]> {
  const all: BatchEntry[] = []
  for (let at = 0; at < count; at++) {
    const fields: Partial<Receipt> = {
      payer: at % 3 === 0 ? account('payer 2') : payer,
      node: at % 5 === 0 ? account('node 2') : account('node'),
      priceVersion: at % 4 === 0 ? 2n ** 40n : BigInt(1 + (at % 2)),
    }
    if (at === 6) Object.assign(fields, { status: 2, price: 0n, outputUnits: 0n })
    const one = await signed(receiptOf(at, fields))
    all.push(at % 6 === 1 ? { ...one, grant: { id: word('grant'), counter: BigInt(at) } } : one)
  }
  return all
}

export const nodeJson = (node: SumNode): Vector => ({
  hash: node.hash,
  sum: node.sum.toString(),
  exposure: node.exposure.toString(),
  count: node.count.toString(),
})
export const entryJson = ({ receipt, signature, grant }: BatchEntry): Vector => ({
  counter: (grant?.counter ?? 0n).toString(),
  grantId: grant?.id ?? NO_GRANT,
  receipt: receiptToJson(receipt),
  signature,
})
export const signedJson = ({ receipt, signature }: SignedReceipt): Vector => ({
  receipt: receiptToJson(receipt),
  signature,
})
export const deploymentJson: Vector = {
  chainId: String(deployment.chainId),
  settlement: deployment.settlement,
  deploymentId: deployment.deploymentId,
}
