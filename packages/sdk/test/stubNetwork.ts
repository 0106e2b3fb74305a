import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, beforeEach } from 'node:test'
import {
  concatBytes,
  deploymentOf,
  ENGINE_CLASS,
  encodeReceiptHeader,
  listedHeaders,
  MODE,
  modelIdOf,
  NAME_HEADER,
  type Network,
  OPG_DOMAIN,
  priceOf,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  REPLAYED_HEADER,
  REQUEST_ID_HEADER,
  type Receipt,
  receiptDigest,
  requestHash,
  responseHash,
  type SignedReceipt,
  STATUS,
  signDigest,
} from '@assay/protocol'
import { type ChainView, checkPayment } from '@assay/verify'
import { type Address, type Hex, keccak256, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import type { ChainReader } from '../src/chainReader.ts'

/** Where a dishonest gateway can interfere. */
export type Tampering = {
  /** Changes the body that goes out, after the node signed it. */
  body?: (bytes: Uint8Array) => Uint8Array
  status?: number
  contentType?: string
  /** What the node answers to a stream, up to its terminal event. */
  streams?: string
  /** Changes the receipt before it is signed. */
  receipt?: (receipt: Receipt) => Receipt
  /** Signs with another key than the registered one. */
  signingKey?: Hex
  /** Leaves the receipt out. */
  withoutReceipt?: boolean
  /** Keeps the end of a stream back. */
  beforeEnd?: () => Promise<void>
  /** Leaves a stream open behind its end, until its reader breaks it off; called then. */
  brokenOff?: () => void
  /** Headers that it adds of its own accord. */
  headers?: Record<string, string>
  /** Changes the body before it reaches the node. */
  request?: (bytes: Uint8Array) => Uint8Array
  /** Gives its first answer to every request after it, and says that it did so before. */
  replaysFirst?: boolean
  /** What it says of every receipt; it knows none otherwise. */
  receiptStatus?: object
  /** Another receiver in the payment offer. */
  payTo?: Address
  amount?: bigint
  /** How long the payment is to stay good, seconds. */
  maxTimeoutSeconds?: number
}

export const PRICE = { perCall: 10n, inputPrice: 2n, outputPrice: 3n }
export const manifest = {
  name: 'test-model',
  engine: 'llama',
  files: [{ name: 'w.gguf', sha256: keccak256('0x01'), bytes: 1n }],
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['bonded'],
} as const
const modelId = modelIdOf(manifest)
const QUOTE = 5_000n
const till: Address = '0x1111111111111111111111111111111111111111'
const contract = (digits: string): Address => `0x${digits.repeat(40 / digits.length)}`
const address = (key: Hex) => privateKeyToAccount(key).address.toLowerCase() as Address

export type StubNetwork = {
  network: Network
  chain: ChainReader
  payerKey: Hex
  /** Bodies that reached the node unpaid and paid. */
  seen: { unpaid: number; paid: number }
  /** Headers of each request that was paid for, of all tests of a file. */
  paidWith: IncomingHttpHeaders[]
  tamper: Tampering
  close(): Promise<void>
}

export const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]

/** One for all tests of a file: honest again before each of them, and closed behind the last. */
export async function stubForTests(): Promise<StubNetwork> {
  const stub = await startStubNetwork()
  after(() => stub.close())
  beforeEach(() => {
    stub.tamper = {}
    stub.seen.unpaid = 0
    stub.seen.paid = 0
  })
  return stub
}

/** A gateway and a node in one, with an honest chain beside them; `tamper` makes the gateway dishonest. */
export async function startStubNetwork(): Promise<StubNetwork> {
  const nodeKey = generatePrivateKey()
  const operatorKey = generatePrivateKey()
  const gatewayKey = generatePrivateKey()
  const payerKey = generatePrivateKey()
  const seen = { unpaid: 0, paid: 0 }
  const paidWith: IncomingHttpHeaders[] = []
  const stub: { tamper: Tampering } = { tamper: {} }
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const network: Network = {
    chainId: 31_337,
    rpcUrl: 'http://127.0.0.1:9',
    gatewayUrl: url,
    deploymentId: keccak256('0x99'),
    contracts: {
      OPG: contract('a'),
      GenesisAllocator: contract('b'),
      ParamStore: contract('c'),
      ModelRegistry: contract('d'),
      TeeRegistry: contract('e'),
      NodeBond: contract('f'),
      ValidatorStaking: contract('2'),
      Settlement: contract('3'),
      InferenceEscrow: contract('4'),
      RevenueSplitter: contract('5'),
      OpgTimelock: contract('6'),
      OpgVotes: contract('7'),
      OpgGovernor: contract('8'),
      Guardian: contract('9'),
      PauseClock: contract('1'),
      SupplyView: contract('0'),
      FaultManager: contract('1a'),
      TeeFault: contract('1b'),
      EquivocationFault: contract('1c'),
      DataChallenge: contract('1d'),
      SumFault: contract('1e'),
      RowFault: contract('1f'),
      CanaryRegistry: `0x${'11'.repeat(20)}`,
      ZkFault: `0x${'12'.repeat(20)}`,
      SpendingGrants: `0x${'10'.repeat(20)}`,
    },
    gateway: address(gatewayKey),
    nodes: [],
    validators: [],
    accounts: {},
    models: [{ name: manifest.name, modelId, contextLength: 2048, modes: ['bonded'] }],
  }
  const node = address(operatorKey)
  const key = address(nodeKey)
  const anchorHash = keccak256('0x5a')
  let seq = 0n
  /** Answers by the name of their request. */
  const given = new Map<string, (response: ServerResponse) => Promise<void>>()

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Uint8Array[] = []
    for await (const part of request) parts.push(part as Uint8Array)
    const { tamper } = stub
    const body = (tamper.request ?? ((bytes) => bytes))(concatBytes(parts))
    response.setHeaders(new Headers(tamper.headers))
    if (tamper.receiptStatus !== undefined && request.url?.startsWith('/v1/receipts/') === true) {
      response.end(JSON.stringify(tamper.receiptStatus))
      return
    }
    const header = request.headers['payment-signature']
    if (header === undefined) {
      seen.unpaid++
      const offer = {
        network: `eip155:${network.chainId}`,
        asset: network.contracts.OPG,
        amount: (tamper.amount ?? QUOTE).toString(),
        payTo: tamper.payTo ?? till,
        maxTimeoutSeconds: tamper.maxTimeoutSeconds ?? 300,
      }
      const required = {
        x402Version: 2,
        resource: { url: `${url}${request.url}` },
        accepts: [
          { ...offer, scheme: 'upto', extra: { facilitatorAddress: tamper.payTo ?? till } },
          { ...offer, scheme: 'exact', extra: OPG_DOMAIN },
        ],
      }
      const encoded = Buffer.from(JSON.stringify(required)).toString('base64')
      response.writeHead(402, { 'payment-required': encoded, 'content-type': 'application/json' })
      response.end('{"error":{"message":"unpaid","code":"payment_required"}}')
      return
    }
    seen.paid++
    paidWith.push(request.headers)
    const name = tamper.replaysFirst === true ? 'first' : request.headers[NAME_HEADER]?.toString()
    const before = name === undefined ? undefined : given.get(name)
    if (before !== undefined) {
      response.setHeader(REPLAYED_HEADER, 'true')
      return before(response)
    }
    const now = BigInt(Math.floor(Date.now() / 1000))
    const payment = await checkPayment({
      header: String(header),
      chainId: network.chainId,
      token: network.contracts.OPG,
      escrow: network.contracts.InferenceEscrow,
      till,
      committer: network.gateway,
      minAmount: 1n,
      now,
    })
    if (!payment.ok) throw new Error(payment.reason)
    const stream = (JSON.parse(new TextDecoder().decode(body)) as { stream?: boolean }).stream === true
    const answer = stream
      ? `${tamper.streams ?? 'data: {"choices":[{"delta":{"content":"Par"}}]}\n\ndata: {"choices":[{"delta":{"content":"is."}}]}\n\n'}data: [DONE]\n\n`
      : '{"choices":[{"message":{"role":"assistant","content":"Paris."}}]}'
    const contentType = stream ? 'text/event-stream' : 'application/json'
    const bytes = new TextEncoder().encode(answer)
    const units = { inputUnits: 4n, outputUnits: 2n }
    const receipt: Receipt = {
      version: 1,
      requestId: payment.requestId,
      payer: payment.payer.toLowerCase() as Address,
      node,
      key,
      seq: ++seq,
      committer: network.gateway,
      includeBy: now + 60n,
      modelId,
      priceVersion: 1n,
      engineClass: ENGINE_CLASS.unattested,
      mode: MODE.bonded,
      status: STATUS.complete,
      requestHash: requestHash({
        method: 'POST',
        path: request.url ?? '',
        headers: listedHeaders(request.headers),
        body,
      }),
      responseHash: responseHash({ status: 200, contentType, body: bytes }),
      evidenceHash: zeroHash,
      ...units,
      price: priceOf(PRICE, { ...units, failed: false }),
      valueAtRisk: 0n,
      anchorBlock: 90n,
      anchorHash,
      issuedAt: now,
    }
    const changed = tamper.receipt?.(receipt) ?? receipt
    const digest = receiptDigest(changed, deploymentOf(network))
    const signed: SignedReceipt = {
      receipt: changed,
      signature: await signDigest(digest, tamper.signingKey ?? nodeKey),
    }
    const out = tamper.body?.(bytes) ?? bytes
    const encoded = encodeReceiptHeader(signed)
    const give = async (to: ServerResponse): Promise<void> => {
      to.statusCode = tamper.status ?? 200
      to.setHeader('content-type', tamper.contentType ?? contentType)
      to.setHeader(REQUEST_ID_HEADER, payment.requestId)
      if (!stream) {
        if (tamper.withoutReceipt !== true) to.setHeader(RECEIPT_HEADER, encoded)
        to.end(out)
        return
      }
      const text = new TextDecoder().decode(out)
      const end = text.lastIndexOf('data: [DONE]')
      const comment = tamper.withoutReceipt === true ? '' : `${RECEIPT_COMMENT}${encoded}\n`
      to.write(text.slice(0, end))
      await tamper.beforeEnd?.()
      const last = `${comment}${text.slice(end)}`
      if (tamper.brokenOff === undefined) return void to.end(last)
      to.once('close', tamper.brokenOff).write(last)
    }
    if (name !== undefined) given.set(name, give)
    await give(response)
  }

  const view = (signed: SignedReceipt): ChainView => ({
    deployment: deploymentOf(network),
    escrow: network.contracts.InferenceEscrow,
    blockNumber: 100n,
    now: signed.receipt.issuedAt + 1n,
    key:
      signed.receipt.key === key
        ? {
            node,
            hardwareType: zeroHash,
            rootHash: zeroHash,
            measurement: zeroHash,
            engineClasses: 0b100,
            evidenceHash: zeroHash,
            validFrom: 1n,
            revokedAt: 0n,
            bonded: true,
          }
        : null,
    hardware: null,
    root: null,
    measurement: null,
    price: { ...PRICE, validFrom: 1n },
    publisher: contract('6'),
    anchor: { hash: anchorHash, timestamp: signed.receipt.issuedAt - 1n },
    batch: null,
    payment: null,
    grant: null,
  })
  const chain: ChainReader = {
    tillOf: async () => till,
    permit2Allowance: async () => 10n ** 30n,
    priceOf: async () => PRICE,
    view: async (signed) => view(signed),
    enclaveKey: async () => undefined,
    enclaveRules: async () => new Map(),
    manifestUri: async () => undefined,
    isCommit: async () => false,
  }
  return {
    network,
    chain,
    payerKey,
    seen,
    paidWith,
    get tamper() {
      return stub.tamper
    },
    set tamper(value) {
      stub.tamper = value
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
