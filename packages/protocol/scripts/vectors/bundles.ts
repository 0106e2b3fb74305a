/** Vectors of the proof bundle. */

import { hexToBytes } from 'viem'
import {
  type BatchEntry,
  type Bundle,
  buildBatch,
  concatBytes,
  enclaveBinding,
  encodeBundle,
  proveInclusion,
  requestAuthDigest,
  responseHash,
  signDigest,
  stripSseComments,
} from '../../src/index.ts'
import {
  committer,
  deployment,
  deploymentJson,
  key,
  manifest,
  modelId,
  payerKey,
  receiptOf,
  receiptsOf,
  request,
  response,
  signed,
  stream,
  utf8,
  type Vector,
  word,
} from './world.ts'

export async function bundles(): Promise<Vector[]> {
  const given = await receiptsOf(5)
  const one = given[1] as BatchEntry
  const batch = buildBatch({ deployment, committer, height: 1n, receipts: given })
  const { entry: _, ...proof } = proveInclusion(batch, one.receipt.requestId)
  const auth = {
    requestId: one.receipt.requestId,
    requestHash: one.receipt.requestHash,
    modelId,
    maxPrice: 10n ** 20n,
    committer,
    deadline: 1_750_000_300n,
  }
  const authSignature = await signDigest(requestAuthDigest(auth, deployment), payerKey)
  const bound = {
    tlsKeyHash: word('tls'),
    hpkeKeyHash: word('hpke'),
    anchorBlock: 100n,
    anchorHash: word('anchor of the evidence'),
  }
  const userData = enclaveBinding(deployment, { node: one.receipt.node, key, ...bound })
  const whole: Bundle = {
    ...one,
    request,
    response,
    requestAuth: { auth, signature: authSignature },
    inclusion: { ...batch.header, batchId: batch.batchId, ...proof },
    evidence: {
      kind: 'nitro-sim',
      document: concatBytes([utf8('a document that names '), hexToBytes(userData)]),
      ...bound,
    },
    model: manifest,
  }
  const streamed = {
    status: 200,
    contentType: 'text/event-stream',
    body: stripSseComments(utf8(stream)),
  }
  const bare: Bundle = {
    ...(await signed(receiptOf(9, { responseHash: responseHash(streamed) }))),
    request,
    response: streamed,
  }
  return [whole, bare].map((bundle) => ({
    deployment: deploymentJson,
    bundle: new TextDecoder().decode(encodeBundle(bundle)),
  }))
}
