import type { Address, Hex } from 'viem'
import type { BatchHeader, InclusionProof } from './batch.ts'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { AssayError } from './errors.ts'
import { type Evidence, evidenceFromJson, evidenceToJson } from './evidence.ts'
import type { HttpRequestBytes, HttpResponseBytes } from './http.ts'
import { requestFromJson, requestToJson, responseFromJson, responseToJson } from './httpJson.ts'
import { type ModelManifest, manifestFromJson, manifestToJson } from './manifest.ts'
import { MAX_PROOF_DEPTH, type Sibling } from './merkleSum.ts'
import { proofFromJson, proofToJson } from './proofAttachment.ts'
import type { BatchEntry, GrantCall } from './receipt.ts'
import { receiptFromJson, receiptToJson } from './receiptJson.ts'
import { requestAuthFromJson, requestAuthToJson, type SignedRequestAuth } from './requestAuth.ts'
import { readAddress, readArray, readBoolean, readBytes, readObject, readUint } from './schema.ts'

export const MAX_BUNDLE_BYTES = 64 * 1024 * 1024

export type Inclusion = BatchHeader & { batchId: Hex } & InclusionProof

/** Everything a stranger needs, beside an RPC, to check one answer (docs/spec.md §8). */
export type Bundle = BatchEntry & {
  request: HttpRequestBytes
  response: HttpResponseBytes
  requestAuth?: SignedRequestAuth | undefined
  inclusion?: Inclusion | undefined
  evidence?: Evidence | undefined
  model?: ModelManifest | undefined
}

function siblingToJson(sibling: Sibling): { [name: string]: Json } {
  return {
    hash: sibling.hash,
    sum: sibling.sum.toString(),
    exposure: sibling.exposure.toString(),
    count: sibling.count.toString(),
    left: sibling.left,
  }
}

function siblingsFromJson(value: Json | undefined, where: string): Sibling[] {
  return readArray(value, where, MAX_PROOF_DEPTH).map((entry, at) => {
    const place = `${where}[${at}]`
    const sibling = readObject(entry, place, ['hash', 'sum', 'exposure', 'count', 'left'])
    return {
      hash: readBytes(sibling.hash, `${place}.hash`, 32),
      sum: readUint(sibling.sum, `${place}.sum`, 128),
      exposure: readUint(sibling.exposure, `${place}.exposure`, 128),
      count: readUint(sibling.count, `${place}.count`, 64),
      left: readBoolean(sibling.left, `${place}.left`),
    }
  })
}

export function inclusionToJson(inclusion: Inclusion): { [name: string]: Json } {
  return {
    batchId: inclusion.batchId,
    committer: inclusion.committer.toLowerCase(),
    height: inclusion.height.toString(),
    root: inclusion.root,
    sum: inclusion.sum.toString(),
    exposure: inclusion.exposure.toString(),
    count: inclusion.count.toString(),
    dataHash: inclusion.dataHash,
    leafSiblings: inclusion.leafSiblings.map(siblingToJson),
    rowSiblings: inclusion.rowSiblings.map(siblingToJson),
    groupSiblings: inclusion.groupSiblings.map(siblingToJson),
  }
}

/** @throws AssayError `malformed` */
export function inclusionFromJson(value: Json | undefined, where = 'inclusion'): Inclusion {
  const members = readObject(value, where, [
    'batchId',
    'committer',
    'height',
    'root',
    'sum',
    'exposure',
    'count',
    'dataHash',
    'leafSiblings',
    'rowSiblings',
    'groupSiblings',
  ])
  return {
    batchId: readBytes(members.batchId, `${where}.batchId`, 32),
    committer: readAddress(members.committer, `${where}.committer`) as Address,
    height: readUint(members.height, `${where}.height`, 64),
    root: readBytes(members.root, `${where}.root`, 32),
    sum: readUint(members.sum, `${where}.sum`, 128),
    exposure: readUint(members.exposure, `${where}.exposure`, 128),
    count: readUint(members.count, `${where}.count`, 64),
    dataHash: readBytes(members.dataHash, `${where}.dataHash`, 32),
    leafSiblings: siblingsFromJson(members.leafSiblings, `${where}.leafSiblings`),
    rowSiblings: siblingsFromJson(members.rowSiblings, `${where}.rowSiblings`),
    groupSiblings: siblingsFromJson(members.groupSiblings, `${where}.groupSiblings`),
  }
}

function grantCallToJson(grant: GrantCall): { [name: string]: Json } {
  return { id: grant.id, counter: grant.counter.toString() }
}

/** @throws AssayError `malformed` */
export function grantCallFromJson(value: Json | undefined): GrantCall {
  const members = readObject(value, 'grant', ['id', 'counter'])
  return {
    id: readBytes(members.id, 'grant.id', 32),
    counter: readUint(members.counter, 'grant.counter', 64),
  }
}

export function encodeBundle(bundle: Bundle): Uint8Array {
  const json: { [name: string]: Json } = {
    format: 'assay-bundle/1',
    receipt: receiptToJson(bundle.receipt),
    signature: bundle.signature,
    request: requestToJson(bundle.request),
    response: responseToJson(bundle.response),
  }
  if (bundle.grant !== undefined) json.grant = grantCallToJson(bundle.grant)
  if (bundle.requestAuth !== undefined) json.requestAuth = requestAuthToJson(bundle.requestAuth)
  if (bundle.inclusion !== undefined) json.inclusion = inclusionToJson(bundle.inclusion)
  if (bundle.evidence !== undefined) json.evidence = evidenceToJson(bundle.evidence)
  if (bundle.model !== undefined) json.model = manifestToJson(bundle.model)
  // The bodies that the proof is about are the bundle's own.
  if (bundle.zk !== undefined) json.proof = proofToJson(bundle.zk)
  return canonicalJsonBytes(json)
}

/** @throws AssayError `malformed` | `non_canonical` */
export function parseBundle(bytes: Uint8Array): Bundle {
  const members = readObject(
    parseCanonicalJson(bytes, MAX_BUNDLE_BYTES),
    'bundle',
    ['format', 'receipt', 'signature', 'request', 'response'],
    ['grant', 'requestAuth', 'inclusion', 'evidence', 'model', 'proof'],
  )
  if (members.format !== 'assay-bundle/1') {
    throw new AssayError('This is not a proof bundle of version 1.', {
      code: 'malformed',
      next: 'Save one with: assay chat "…" --save bundle.json',
    })
  }
  const request = requestFromJson(members.request, 'request', MAX_BUNDLE_BYTES)
  const response = responseFromJson(members.response, 'response', MAX_BUNDLE_BYTES)
  const has = (name: string) => Object.hasOwn(members, name)
  return {
    receipt: receiptFromJson(members.receipt),
    signature: readBytes(members.signature, 'signature', 65),
    request,
    response,
    grant: has('grant') ? grantCallFromJson(members.grant) : undefined,
    requestAuth: has('requestAuth') ? requestAuthFromJson(members.requestAuth) : undefined,
    inclusion: has('inclusion') ? inclusionFromJson(members.inclusion) : undefined,
    evidence: has('evidence') ? evidenceFromJson(members.evidence) : undefined,
    model: has('model') ? manifestFromJson(members.model) : undefined,
    ...(has('proof') ? { zk: { request, response, ...proofFromJson(members.proof, 'proof') } } : {}),
  }
}
