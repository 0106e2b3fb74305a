/**
 * Writes packages/protocol/vectors/*.json: inputs and expected outputs of every item of docs/spec.md, from fixed keys.
 *   node packages/protocol/scripts/writeVectors.ts
 * `vectors()` gives the same files as text, so that a test can tell whether those in the repository are up to date.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Address,
  encodeAbiParameters,
  type Hex,
  hexToBytes,
  keccak256,
  parseAbiParameters,
  toHex,
} from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import {
  type Attestation,
  apiKeyDigest,
  apiKeyHash,
  apiKeyOf,
  attestationDigest,
  type BatchEntry,
  type Bundle,
  batchEntries,
  buildBatch,
  canonicalJson,
  canonicalJsonBytes,
  concatBytes,
  type Deployment,
  dataHashOf,
  deploymentIdOf,
  enclaveBinding,
  encodeBundle,
  encodeGrantHeader,
  encodeReceiptHeader,
  encodeRequestAuthHeader,
  evidenceToJson,
  FAULT_CLASS,
  faultCommitment,
  faultIdOf,
  gpuNonce,
  grantIdOf,
  grantRequestId,
  grantToJson,
  groupHeaders,
  groupNode,
  inclusionToJson,
  type Json,
  keyVoteDigest,
  leafNode,
  listedHeaders,
  type ModelManifest,
  manifestToJson,
  modelIdOf,
  NO_GRANT,
  nitroMeasurement,
  nodeEquivocationProof,
  parentNode,
  priceOf,
  proveInclusion,
  quoteMaximum,
  type Receipt,
  receiptDigest,
  receiptLeaf,
  receiptStructHash,
  receiptToJson,
  registrationIdOf,
  requestAuthDigest,
  requestAuthToJson,
  requestHash,
  requestIdOf,
  responseHash,
  rowFaultProof,
  rowKeyOf,
  rowNode,
  type SignedReceipt,
  type SpendingGrant,
  type SumNode,
  sgxMeasurement,
  signDigest,
  snpMeasurement,
  stripSseComments,
  sumFaultProof,
  sumTreeLevels,
  TAGS,
  tag,
  tdxMeasurement,
  teeFaultProof,
  toBase64,
  validatorEquivocationProof,
} from '../src/index.ts'

type Vector = { [name: string]: Json }

const utf8 = (text: string) => new TextEncoder().encode(text)
const word = (name: string): Hex => keccak256(utf8(`vector ${name}`))
const account = (name: string) => `0x${word(name).slice(26)}` as Hex

/** Keys of the vectors: hashes of public texts, worth nothing anywhere. */
const nodeKey = word('node key')
const payerKey = word('payer key')
const validatorKey = word('validator key')
const key = privateKeyToAddress(nodeKey).toLowerCase() as Hex
const payer = privateKeyToAddress(payerKey).toLowerCase() as Hex
const committer = account('committer')
const escrow = account('escrow')

const deployer = account('deployer')
const entropy = word('entropy')
const deployment: Deployment = {
  chainId: 31337,
  settlement: account('settlement'),
  deploymentId: deploymentIdOf(31337, deployer, entropy),
}
const manifest: ModelManifest = {
  name: 'smollm2-135m-instruct',
  engine: 'llama',
  files: [{ name: 'smollm2-135m-instruct.Q4_1.gguf', sha256: word('weights'), bytes: 98_304_000n }],
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['tee'],
}
const modelId = modelIdOf(manifest)

const request = {
  method: 'POST',
  path: '/v1/chat/completions?trace=1',
  headers: listedHeaders({ 'X-Assay-Verification': ' auto\t', 'anthropic-beta': ['one', 'two'] }),
  body: utf8('{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"Où est Paris ?"}]}'),
}
const response = {
  status: 200,
  contentType: 'application/json',
  body: utf8('{"choices":[{"message":{"role":"assistant","content":"En France. 🇫🇷"}}]}'),
}
const stream =
  'data: {"choices":[{"delta":{"content":"a"}}]}\n\n: keep-alive\n\ndata: {"x":": no comment"}\n\n: assay-receipt abc\ndata: [DONE]\n\n'

const prices = { perCall: 1_000n, inputPrice: 20n, outputPrice: 60n }

function receiptOf(index: number, fields: Partial<Receipt> = {}): Receipt {
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

async function signed(receipt: Receipt): Promise<SignedReceipt> {
  return { receipt, signature: await signDigest(receiptDigest(receipt, deployment), nodeKey) }
}

/** Receipts over several payers, grants, nodes and price versions, so that rows have odd and even sizes. */
async function receiptsOf(count: number): Promise<BatchEntry[]> {
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

const nodeJson = (node: SumNode): Vector => ({
  hash: node.hash,
  sum: node.sum.toString(),
  exposure: node.exposure.toString(),
  count: node.count.toString(),
})
const entryJson = ({ receipt, signature, grant }: BatchEntry): Vector => ({
  counter: (grant?.counter ?? 0n).toString(),
  grantId: grant?.id ?? NO_GRANT,
  receipt: receiptToJson(receipt),
  signature,
})
const signedJson = ({ receipt, signature }: SignedReceipt): Vector => ({
  receipt: receiptToJson(receipt),
  signature,
})
const deploymentJson: Vector = {
  chainId: String(deployment.chainId),
  settlement: deployment.settlement,
  deploymentId: deployment.deploymentId,
}

function tags(): Vector[] {
  const names = {
    request: 'assay/request/v1',
    response: 'assay/response/v1',
    requestId: 'assay/request-id/v1',
    deployment: 'assay/deployment/v1',
    leaf: 'assay/leaf/v1',
    node: 'assay/node/v1',
    row: 'assay/row/v1',
    group: 'assay/group/v1',
    data: 'assay/data/v1',
    dataChunk: 'assay/data-chunk/v1',
    dataNode: 'assay/data-node/v1',
    batch: 'assay/batch/v1',
    fault: 'assay/fault/v1',
    registration: 'assay/registration/v1',
    enclaveBinding: 'assay/enclave-binding/v2',
    nitroMeasurement: 'assay/measurement/nitro/v1',
    snpMeasurement: 'assay/measurement/snp/v1',
    tdxMeasurement: 'assay/measurement/tdx/v1',
    sgxMeasurement: 'assay/measurement/sgx/v1',
    gpuNonce: 'assay/gpu-nonce/v1',
  } as const
  const ours = Object.entries(names).map(([at, name]) => ({ name, tag: TAGS[at as keyof typeof names] }))
  return [...ours, ...['nitro', 'nitro-sim', '0x61', 'é'].map((name) => ({ name, tag: tag(name) }))]
}

function requestHashes(): Vector[] {
  const heads: [string, string][][] = [
    [],
    [
      ['Host', 'example'],
      ['Content-Type', 'application/json'],
      ['assay-request-auth', 'not listed'],
    ],
    [
      ['X-Assay-Verification', ' auto\t'],
      ['x-assay-value-at-risk', '5'],
      ['Anthropic-Version', '2023-06-01'],
    ],
    [
      ['anthropic-beta', 'one'],
      ['x-assay-a', '1'],
      ['x-assay-a-b', '2'],
      ['Anthropic-Beta', ' two '],
      ['x-assay-ab', ''],
    ],
    [
      ['x-assay-note', 'a  b : c'],
      ['x-assay-', 'empty name'],
      ['x-assay', 'not listed'],
    ],
  ]
  return heads.map((head, at) => {
    const body = [utf8(''), request.body, utf8('{}'), Uint8Array.of(0, 255, 10), utf8('\u{1f600}')][
      at
    ] as Uint8Array
    const method = at === 0 ? 'GET' : 'POST'
    const path = ['/v1/models', request.path, '/v1/messages', '/v1/infer?', '/v1/é'][at] as string
    const listed = listedHeaders(head)
    return {
      method,
      path,
      headers: head.map((line) => [...line]),
      body: toBase64(body),
      listedHeaders: listed,
      requestHash: requestHash({ method, path, headers: listed, body }),
    }
  })
}

function responseHashes(): Vector[] {
  const bodies: [number, string, string][] = [
    [200, 'application/json', '{}'],
    [200, 'application/json; charset=utf-8', new TextDecoder().decode(response.body)],
    [200, 'text/event-stream', stream],
    [200, 'text/event-stream', ':\n:\ndata: a\n\n'],
    [500, '', ''],
    [599, 'text/plain', ': not a stream, so this line stays\n'],
  ]
  return bodies.map(([status, contentType, text]) => {
    const body = utf8(text)
    const hashed = contentType === 'text/event-stream' ? stripSseComments(body) : body
    return {
      status,
      contentType,
      body: toBase64(body),
      hashedBody: toBase64(hashed),
      responseHash: responseHash({ status, contentType, body: hashed }),
    }
  })
}

function requestIds(): Vector[] {
  const grant = encodeAbiParameters(parseAbiParameters('bytes32, uint256'), [word('grant'), 7n])
  const cases: { scheme: number; paymentNonce: Hex; source: Vector }[] = [
    { scheme: 1, paymentNonce: word('nonce 0'), source: { authorizationNonce: word('nonce 0') } },
    {
      scheme: 2,
      paymentNonce: toHex(123456789012345678901234567890n, { size: 32 }),
      source: { permitNonce: '123456789012345678901234567890' },
    },
    { scheme: 3, paymentNonce: keccak256(grant), source: { grantId: word('grant'), counter: '7' } },
  ]
  return cases.flatMap(({ source, ...one }) =>
    [1, 8453, 31337].map((chainId) => ({
      chainId: String(chainId),
      escrow,
      payer,
      ...one,
      source,
      requestId: requestIdOf({ chainId, escrow, payer, ...one }),
    })),
  )
}

async function receipts(): Promise<Vector[]> {
  const widest: Partial<Receipt> = {
    seq: 2n ** 64n - 1n,
    includeBy: 2n ** 64n - 1n,
    priceVersion: 2n ** 64n - 1n,
    price: 2n ** 128n - 1n,
    valueAtRisk: 2n ** 128n - 1n,
    version: 255,
    engineClass: 255,
    mode: 255,
    status: 255,
  }
  const all = [
    receiptOf(0),
    receiptOf(1, { mode: 0, engineClass: 2 }),
    receiptOf(2, { mode: 2, evidenceHash: word('proof') }),
    receiptOf(3, { status: 2, outputUnits: 0n, price: 0n }),
    receiptOf(4, widest),
  ]
  return Promise.all(
    all.map(async (receipt) => {
      const one = await signed(receipt)
      return {
        deployment: deploymentJson,
        ...signedJson(one),
        signer: key,
        structHash: receiptStructHash(receipt),
        digest: receiptDigest(receipt, deployment),
        leaf: receiptLeaf(one),
        header: encodeReceiptHeader(one),
      }
    }),
  )
}

async function statements(): Promise<Vector[]> {
  const attestations: Attestation[] = [
    { batchId: word('batch'), root: word('root'), registryBlock: 77n, dataAvailable: true, verdict: 1 },
    {
      batchId: word('batch'),
      root: word('root'),
      registryBlock: 2n ** 64n - 1n,
      dataAvailable: false,
      verdict: 2,
    },
  ]
  const signer = privateKeyToAddress(validatorKey).toLowerCase()
  const vectors: Vector[] = []
  for (const attestation of attestations) {
    const digest = attestationDigest(attestation, deployment)
    vectors.push({
      type: 'Attestation',
      deployment: deploymentJson,
      message: { ...attestation, registryBlock: attestation.registryBlock.toString() },
      digest,
      signature: await signDigest(digest, validatorKey),
      signer,
    })
  }
  for (const valid of [true, false]) {
    const message = { registrationId: word('registration'), valid }
    const digest = keyVoteDigest(message, deployment)
    const signature = await signDigest(digest, validatorKey)
    vectors.push({ type: 'KeyVote', deployment: deploymentJson, message, digest, signature, signer })
  }
  for (const allowed of [true, false]) {
    const message = { grantId: word('grant'), keyHash: word('key hash'), allowed }
    const digest = apiKeyDigest(message, deployment)
    const signature = await signDigest(digest, payerKey)
    vectors.push({ type: 'ApiKey', deployment: deploymentJson, message, digest, signature, signer: payer })
  }
  const auth = {
    requestId: receiptOf(0).requestId,
    requestHash: requestHash(request),
    modelId,
    maxPrice: 10n ** 20n,
    committer,
    deadline: 1_750_000_300n,
  }
  const digest = requestAuthDigest(auth, deployment)
  const signature = await signDigest(digest, payerKey)
  const json = requestAuthToJson({ auth, signature })
  const header = encodeRequestAuthHeader({ auth, signature })
  const message = json.auth as Vector
  vectors.push({
    type: 'RequestAuth',
    deployment: deploymentJson,
    message,
    digest,
    signature,
    signer: payer,
    header,
  })
  return vectors
}

/** Grants with empty, one-entry and full lists, and a call under each. */
async function grants(): Promise<Vector[]> {
  const gateway = privateKeyToAddress(validatorKey).toLowerCase() as Address
  const limits = [
    { maxTotal: 10n ** 20n, maxPerCall: 10n ** 18n, ratePerHour: 0n },
    { maxTotal: 2n ** 128n - 1n, maxPerCall: 2n ** 128n - 1n, ratePerHour: 2n ** 128n - 1n },
    { maxTotal: 1n, maxPerCall: 1n, ratePerHour: 1n },
  ]
  return Promise.all(
    limits.map(async (some, at) => {
      const entries = Array.from({ length: [0, 1, 32][at] ?? 0 }, (_, index) => word(`entry ${index}`))
      const grant: SpendingGrant = {
        payer,
        gateway,
        ...some,
        models: entries,
        nodes: entries.map((entry) => entry.slice(0, 42) as Address),
        expiry: 1_750_000_000n + BigInt(at),
        nonce: at === 1 ? 2n ** 256n - 1n : BigInt(at),
      }
      const id = grantIdOf(grant, deployment)
      const counter = at === 1 ? 2n ** 64n - 1n : BigInt(at + 1)
      const { chainId } = deployment
      const auth = {
        requestId: grantRequestId({ chainId, escrow, payer, grant: { id, counter } }),
        requestHash: requestHash(request),
        modelId,
        maxPrice: some.maxPerCall,
        committer: gateway,
        deadline: 1_750_000_060n,
      }
      const signature = await signDigest(requestAuthDigest(auth, deployment), validatorKey)
      const apiKey = apiKeyOf(hexToBytes(word(`key ${at}`)))
      return {
        deployment: deploymentJson,
        escrow,
        grant: grantToJson(grant),
        grantId: id,
        apiKey,
        keyHash: apiKeyHash(apiKey),
        header: encodeGrantHeader({ grant, counter, auth: { auth, signature } }),
      }
    }),
  )
}

async function rejectedSignatures(): Promise<Vector[]> {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const digest = word('digest')
  const good = await signDigest(digest, nodeKey)
  const [r, s, v] = [good.slice(2, 66), good.slice(66, 130), good.slice(130)]
  const otherV = v === '1b' ? '1c' : '1b'
  const highS = toHex(order - BigInt(`0x${s}`), { size: 32 }).slice(2)
  const zero = '00'.repeat(32)
  const forms: [string, string][] = [
    ['the high-s twin', `0x${r}${highS}${otherV}`],
    ['v as a parity bit', `0x${r}${s}${v === '1b' ? '00' : '01'}`],
    ['v of 29', `0x${r}${s}1d`],
    ['64 bytes (EIP-2098)', `0x${r}${s}`],
    ['66 bytes', `${good}00`],
    ['r of zero', `0x${zero}${s}${v}`],
    ['s of zero', `0x${r}${zero}${v}`],
    ['r of the order', `0x${order.toString(16)}${s}${v}`],
  ]
  return forms.map(([name, signature]) => ({ name, digest, signature }))
}

function trees(): Vector[] {
  const leaves = (count: number): SumNode[] =>
    Array.from({ length: count }, (_, at) => ({
      hash: word(`leaf ${at}`),
      sum: BigInt(at * at + 1),
      exposure: BigInt(3 * at * at + 1),
      count: BigInt(at + 1),
    }))
  const wide: SumNode[] = [
    { hash: word('a'), sum: 2n ** 127n, exposure: 2n ** 127n, count: 2n ** 63n },
    { hash: word('b'), sum: 2n ** 127n - 1n, exposure: 2n ** 127n - 1n, count: 2n ** 63n - 1n },
  ]
  return [1, 2, 3, 4, 5, 7, 8, 13]
    .map(leaves)
    .concat([wide])
    .map((nodes) => {
      const levels = sumTreeLevels(nodes)
      return { nodes: nodes.map(nodeJson), top: nodeJson((levels.at(-1) as SumNode[])[0] as SumNode) }
    })
}

function parents(): Vector[] {
  const left = { hash: word('left'), sum: 5n, exposure: 7n, count: 1n }
  const right = {
    hash: word('right'),
    sum: 2n ** 128n - 6n,
    exposure: 2n ** 128n - 8n,
    count: 2n ** 64n - 2n,
  }
  const overflow = (node: SumNode): Vector => ({ left: nodeJson(left), right: nodeJson(node), invalid: true })
  return [
    { left: nodeJson(left), right: nodeJson(right), parent: nodeJson(parentNode(left, right)) },
    { left: nodeJson(right), right: nodeJson(left), parent: nodeJson(parentNode(right, left)) },
    overflow({ ...right, sum: 2n ** 128n - 5n }),
    overflow({ ...right, exposure: 2n ** 128n - 7n }),
    overflow({ ...right, count: 2n ** 64n - 1n }),
  ]
}

async function rows(): Promise<Vector[]> {
  return (await receiptsOf(3)).map((one) => {
    const top = leafNode(one)
    const key = rowKeyOf(one)
    const row = { ...key, priceVersion: key.priceVersion.toString() }
    return { ...row, top: nodeJson(top), row: nodeJson(rowNode(key, top)) }
  })
}

async function groups(): Promise<Vector[]> {
  return (await receiptsOf(2)).map((one) => {
    const top = rowNode(rowKeyOf(one), leafNode(one))
    const { node } = one.receipt
    return { node, top: nodeJson(top), group: nodeJson(groupNode(node, top)) }
  })
}

/** Files of one repeated byte, around the borders of chunks. */
function files(): Vector[] {
  return [1, 8191, 8192, 8193, 3 * 8192, 40_000].map((length) => {
    const byte = length % 251
    return { length, byte, dataHash: dataHashOf(new Uint8Array(length).fill(byte)) }
  })
}

async function batches(): Promise<Vector[]> {
  const vectors: Vector[] = []
  for (const [count, height] of [
    [1, 1n],
    [2, 2n],
    [13, 2n ** 63n],
  ] as const) {
    const given = await receiptsOf(count)
    const batch = buildBatch({ deployment, committer, height, receipts: given })
    const { header } = batch
    vectors.push({
      deployment: deploymentJson,
      committer,
      height: height.toString(),
      receipts: given.map(entryJson),
      root: header.root,
      sum: header.sum.toString(),
      exposure: header.exposure.toString(),
      count: header.count.toString(),
      dataHash: header.dataHash,
      groups: groupHeaders(batch).map(({ node, top: hash, ...totals }) => ({
        node,
        top: nodeJson({ hash, ...totals }),
      })),
      batchId: batch.batchId,
      file: new TextDecoder().decode(batch.file),
      inclusions: given.map(({ receipt }) => {
        const { entry: _, ...proof } = proveInclusion(batch, receipt.requestId)
        return inclusionToJson({ ...header, batchId: batch.batchId, ...proof })
      }),
    })
  }
  return vectors
}

/** Proofs from the batch of 13 receipts of batch.json: of form only, since every receipt in it is honest. */
async function faults(): Promise<Vector[]> {
  const batch = buildBatch({ deployment, committer, height: 2n ** 63n, receipts: await receiptsOf(13) })
  const [first, second] = batchEntries(batch)
  const [header] = groupHeaders(batch)
  if (first === undefined || second === undefined || header === undefined) throw new Error('no receipts')
  const { requestId } = first.receipt
  const overclaimed = groupHeaders(batch).with(0, { ...header, sum: header.sum + 1n })
  const attestation = {
    batchId: batch.batchId,
    root: batch.header.root,
    registryBlock: 7n,
    dataAvailable: true,
    verdict: 1,
  }
  const named = (verdict: number) => ({
    attestation: { ...attestation, verdict },
    signature: first.signature,
    batch: batch.header,
  })
  const proofs: [name: string, faultClass: number, proof: Hex | undefined][] = [
    ['tee', FAULT_CLASS.tee, teeFaultProof(batch, requestId)],
    ['equivocation of a node', FAULT_CLASS.equivocation, nodeEquivocationProof(first, second, batch)],
    ['equivocation of a validator', FAULT_CLASS.equivocation, validatorEquivocationProof(named(1), named(2))],
    ['sum', FAULT_CLASS.sum, sumFaultProof(batch, overclaimed, batch.batchId)],
    ['row', FAULT_CLASS.row, rowFaultProof('overcharge', batch, requestId)],
  ]
  const salt = word('salt')
  return proofs.map(([name, faultClass, proof = '0x']) => ({
    name,
    class: faultClass,
    proof,
    prover: account('prover'),
    salt,
    commitment: faultCommitment(account('prover'), faultClass, proof, salt),
    faultKey: batch.batchId,
    faultId: faultIdOf(faultClass, batch.batchId),
  }))
}

function enclaves(): { [kind: string]: Vector[] } {
  const evidence = {
    kind: 'nitro-sim',
    document: utf8('a document'),
    tlsKeyHash: word('tls'),
    hpkeKeyHash: `0x${'00'.repeat(32)}`,
    anchorBlock: 1_234_567_890n,
    anchorHash: word('anchor'),
  } as const
  const evidenceBytes = canonicalJsonBytes(evidenceToJson(evidence))
  const measurement = nitroMeasurement(`0x${'01'.repeat(48)}`, `0x${'02'.repeat(48)}`, `0x${'03'.repeat(48)}`)
  const rootDer = utf8('the DER of a root certificate')
  const zero: Hex = `0x${'00'.repeat(32)}`
  const teeRegistry = account('tee registry')
  const attested = {
    node: account('node'),
    key,
    hardwareType: tag('nitro-sim'),
    rootHash: keccak256(rootDer),
    measurement,
    engineClasses: 1,
    evidenceHash: keccak256(evidenceBytes),
  }
  const bonded = {
    ...attested,
    hardwareType: zero,
    rootHash: zero,
    measurement: zero,
    evidenceHash: zero,
    engineClasses: 4,
  }
  const binding = {
    node: account('node'),
    key,
    tlsKeyHash: evidence.tlsKeyHash,
    hpkeKeyHash: evidence.hpkeKeyHash,
    anchorHash: evidence.anchorHash,
  }
  const { anchorBlock } = evidence
  const userData = enclaveBinding(deployment, { ...binding, anchorBlock })
  const register = (byte: string) => `0x${byte.repeat(48)}` as const
  const tdx = {
    mrTd: register('06'),
    mrConfigId: register('07'),
    rtmrs: [register('08'), register('09'), register('0a'), register('0b')],
  } as const
  const sgx = { mrEnclave: `0x${'0c'.repeat(32)}`, configId: `0x${'0d'.repeat(64)}` } as const
  const snp = { launchDigest: `0x${'04'.repeat(48)}`, hostData: `0x${'05'.repeat(32)}` } as const
  return {
    registrations: [attested, bonded].map((registration) => ({
      chainId: '31337',
      teeRegistry,
      ...registration,
      registrationId: registrationIdOf(31337, teeRegistry, registration),
    })),
    bindings: [{ deployment: deploymentJson, ...binding, anchorBlock: anchorBlock.toString(), userData }],
    measurements: [
      {
        pcr0: `0x${'01'.repeat(48)}`,
        pcr1: `0x${'02'.repeat(48)}`,
        pcr2: `0x${'03'.repeat(48)}`,
        measurement,
      },
    ],
    snpMeasurements: [snp].map((fields) => ({
      ...fields,
      measurement: snpMeasurement(fields.launchDigest, fields.hostData),
    })),
    tdxMeasurements: [tdx].map(({ mrTd, mrConfigId, rtmrs }) => ({
      mrTd,
      mrConfigId,
      rtmrs: [...rtmrs],
      measurement: tdxMeasurement(mrTd, mrConfigId, rtmrs),
    })),
    sgxMeasurements: [sgx].map((fields) => ({
      ...fields,
      measurement: sgxMeasurement(fields.mrEnclave, fields.configId),
    })),
    gpuNonces: [userData].map((binding) => ({ userData: binding, nonce: gpuNonce(binding) })),
    roots: [{ der: toBase64(rootDer), rootHash: keccak256(rootDer) }],
    evidence: [
      {
        evidence: evidenceToJson(evidence),
        bytes: new TextDecoder().decode(evidenceBytes),
        evidenceHash: keccak256(evidenceBytes),
      },
    ],
  }
}

function canonical(): { [kind: string]: Vector[] } {
  const values: [string, Json][] = [
    ['{ "b": 1, "a": [true, false, {}], "aa": "x" }', { b: 1, a: [true, false, {}], aa: 'x' }],
    [
      '{"\\ufb33":"7","\\ud83d\\ude00":"6","\\u20ac":"5","\\u00f6":"4","\\u0080":"3","1":"2","\\r":"1"}',
      { '\ufb33': '7', '\u{1f600}': '6', '€': '5', ö: '4', '\u0080': '3', '1': '2', '\r': '1' },
    ],
    ['"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"', '€$\u000f\nA\'B"\\\\"/'],
    ['"\\b\\t\\f\\u0000\\u001f\\u007f\\u2028"', '\b\t\f\u0000\u001f\u007f\u2028'],
    ['[-9007199254740991, 9007199254740991, 0, 7.0, 1e3]', [-9007199254740991, 9007199254740991, 0, 7, 1000]],
    [
      '{"":"","\\ud7ff":1,"\\ue000":2,"\\ud800\\udc00":3}',
      { '': '', '\ud7ff': 1, '\ue000': 2, '\u{10000}': 3 },
    ],
  ]
  const rejected: [string, string][] = [
    ['duplicate name', '{"a":1,"a":1}'],
    ['unsorted names', '{"b":1,"a":1}'],
    ['blank', '{"a": 1}'],
    ['trailing line feed', '{}\n'],
    ['needless escape', '"\\u0041"'],
    ['upper-case escape', '"\\u000F"'],
    ['escaped solidus', '"\\/"'],
    ['float', '1.5'],
    ['integer with a fraction', '1.0'],
    ['integer with an exponent', '1e3'],
    ['negative zero', '-0'],
    ['unsafe integer', '9007199254740992'],
    ['null', 'null'],
    ['lone surrogate', '"\\ud800"'],
    ['lone surrogate in a name', '{"\\udfff":1}'],
    ['cut short', '{"a":'],
    ['nothing', ''],
  ]
  return {
    canonical: values.map(([input, value]) => ({ input, output: canonicalJson(value) })),
    rejected: rejected.map(([name, input]) => ({ name, input })),
  }
}

async function bundles(): Promise<Vector[]> {
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

function pricing(): { [kind: string]: Vector[] } {
  const row = {
    perCall: prices.perCall.toString(),
    inputPrice: prices.inputPrice.toString(),
    outputPrice: prices.outputPrice.toString(),
  }
  const usages: [bigint, bigint, number][] = [
    [20n, 5n, 0],
    [20n, 0n, 0],
    [20n, 5n, 1],
    [20n, 5n, 2],
    [2n ** 63n, 2n ** 63n, 0],
  ]
  return {
    prices: usages.map(([inputUnits, outputUnits, status]) => ({
      row,
      inputUnits: inputUnits.toString(),
      outputUnits: outputUnits.toString(),
      status,
      price: priceOf(prices, { inputUnits, outputUnits, failed: status === 2 }).toString(),
    })),
    quotes: [
      [0, 1],
      [180, 16],
      [180, 2048],
    ].map(([bodyBytes, maxOutput]) => ({
      row,
      bodyBytes: bodyBytes as number,
      maxOutput: maxOutput as number,
      maximum: quoteMaximum(prices, bodyBytes as number, maxOutput as number).toString(),
    })),
  }
}

/** File name to text of every vector file. */
export async function vectors(): Promise<Map<string, string>> {
  const contents: Record<string, { [kind: string]: Vector[] }> = {
    'tags.json': { tags: tags() },
    'requestHash.json': { requestHashes: requestHashes() },
    'responseHash.json': { responseHashes: responseHashes() },
    'requestId.json': { requestIds: requestIds() },
    'deployment.json': {
      deployments: [{ chainId: '31337', deployer, entropy, deploymentId: deployment.deploymentId }],
    },
    'receipt.json': { receipts: await receipts() },
    'statements.json': { statements: await statements() },
    'grant.json': { grants: await grants() },
    'signature.json': { rejectedSignatures: await rejectedSignatures() },
    'tree.json': { parents: parents(), rows: await rows(), groups: await groups(), trees: trees() },
    'data.json': { files: files() },
    'batch.json': { batches: await batches() },
    'faultProof.json': { faults: await faults() },
    'enclave.json': enclaves(),
    'canonicalJson.json': canonical(),
    'manifest.json': {
      manifests: [
        { manifest: manifestToJson(manifest), canonical: canonicalJson(manifestToJson(manifest)), modelId },
      ],
    },
    'bundle.json': { bundles: await bundles() },
    'price.json': pricing(),
  }
  return new Map(
    Object.entries(contents).map(([name, content]) => [name, `${JSON.stringify(content, null, 1)}\n`]),
  )
}

if (import.meta.main) {
  for (const [name, text] of await vectors()) {
    writeFileSync(join(import.meta.dirname, '..', 'vectors', name), text)
  }
}
