/** Vectors of what is signed: receipts, statements, grants, and signatures that must be refused. */
import { type Address, hexToBytes, toHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import {
  type Attestation,
  apiKeyDigest,
  apiKeyHash,
  apiKeyOf,
  attestationDigest,
  encodeGrantHeader,
  encodeReceiptHeader,
  encodeRequestAuthHeader,
  grantIdOf,
  grantRequestId,
  grantToJson,
  keyVoteDigest,
  providerKeyDigest,
  type Receipt,
  receiptDigest,
  receiptLeaf,
  receiptStructHash,
  requestAuthDigest,
  requestAuthToJson,
  requestHash,
  type SpendingGrant,
  signDigest,
} from '../../src/index.ts'
import {
  committer,
  deployment,
  deploymentJson,
  escrow,
  key,
  modelId,
  nodeKey,
  payer,
  payerKey,
  receiptOf,
  request,
  signed,
  signedJson,
  type Vector,
  validatorKey,
  word,
} from './world.ts'

export async function receipts(): Promise<Vector[]> {
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

export async function statements(): Promise<Vector[]> {
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
  const given = { enclave: key, provider: 'anthropic', name: 'main', secret: 'sk-of-nobody', sequence: 1n }
  const givenDigest = providerKeyDigest(given, deployment)
  vectors.push({
    type: 'ProviderKey',
    deployment: deploymentJson,
    message: { ...given, sequence: given.sequence.toString() },
    digest: givenDigest,
    signature: await signDigest(givenDigest, nodeKey),
    signer: privateKeyToAddress(nodeKey).toLowerCase(),
  })
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
export async function grants(): Promise<Vector[]> {
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

export async function rejectedSignatures(): Promise<Vector[]> {
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
