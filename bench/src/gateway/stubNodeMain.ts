/**
 * The stub upstream behind a node's surface: the same bytes at once, with a receipt that is really signed. A process of
 * its own, as a node is: on the thread of another party its signature would hold that one's work up.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import {
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  loadNetwork,
  publicClientOf,
} from '@assay/chain'
import {
  deploymentOf,
  ENGINE_CLASS,
  encodeReceiptHeader,
  GRANT_HEADER,
  keyPossessionDigest,
  listedHeaders,
  MODE,
  priceOf,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  receiptDigest,
  requestHash,
  responseHash,
  signDigest,
  tag,
  teeRegistryAbi,
} from '@assay/protocol'
import { type Address, type Hex, zeroHash } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { LOCAL_PRICE } from '../localNetwork.ts'
import { statedCall, statedPayment } from './statedPayment.ts'
import { STREAM_EVENTS, TERMINAL_EVENT, WHOLE_ANSWER } from './stubUpstream.ts'

const KEY = tag('bench node key')
const { ASSAY_NETWORK = '', ASSAY_PORT } = process.env
const network = loadNetwork(ASSAY_NETWORK)
const deployment = deploymentOf(network)
const addressOf = (role: number) => developmentAccount(role).address.toLowerCase() as Address
const node = addressOf(DEVELOPMENT_ROLES.node)
const committer = addressOf(DEVELOPMENT_ROLES.gateway)
const key = privateKeyToAddress(KEY).toLowerCase() as Address
const usage = { inputUnits: 20n, outputUnits: 20n, failed: false }
await registerKey()
// The chain's clock, for no key signs before it was registered.
const { timestamp: issuedAt } = await publicClientOf(network).getBlock()
let seq = 0n

async function sign(
  { requestId, payer }: ReturnType<typeof statedCall>,
  requestHash: Hex,
  responseHash: Hex,
): Promise<string> {
  seq += 1n
  const receipt = {
    version: 1,
    ...{ requestId, payer, node, key, seq, committer },
    includeBy: issuedAt + 600n,
    modelId: network.models[0]?.modelId as Hex,
    priceVersion: 1n,
    engineClass: ENGINE_CLASS.unattested,
    mode: MODE.bonded,
    status: 0,
    requestHash,
    responseHash,
    evidenceHash: zeroHash,
    inputUnits: usage.inputUnits,
    outputUnits: usage.outputUnits,
    price: priceOf(LOCAL_PRICE, usage),
    valueAtRisk: 0n,
    anchorBlock: 1n,
    anchorHash: zeroHash,
    issuedAt,
  }
  const signature = await signDigest(receiptDigest(receipt, deployment), KEY)
  return encodeReceiptHeader({ receipt, signature })
}

/** Which call it is, and whose: by the grant that pays for it, or by its payment. */
function callOf(headers: IncomingHttpHeaders): ReturnType<typeof statedCall> {
  const grant = headers[GRANT_HEADER]
  if (grant !== undefined) return statedCall(String(grant))
  return statedPayment(String(headers['payment-signature']), network)
}

/** The bond alone stands behind the key: what the gateway checks of it is the same. */
async function registerKey(): Promise<void> {
  const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.node)
  await createSender({ network, privateKey }).send({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'registerBondedKey',
    args: [key, await signDigest(keyPossessionDigest({ node, key }, deployment), KEY)],
  })
}

const server = createServer((request, response) => {
  if (request.url === '/health') {
    const health = {
      key,
      models: [{ name: 'bench' }],
      queue: { running: 0, waiting: 0, limit: 64 },
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(health))
    return
  }
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', async () => {
    const body = Buffer.concat(parts)
    const { stream } = JSON.parse(body.toString('utf8')) as { stream?: boolean }
    const contentType = stream === true ? 'text/event-stream' : 'application/json'
    const answer = stream === true ? STREAM_EVENTS + TERMINAL_EVENT : WHOLE_ANSWER
    const hashes = {
      request: requestHash({
        method: 'POST',
        path: request.url ?? '/',
        headers: listedHeaders(request.headersDistinct),
        body,
      }),
      response: responseHash({ status: 200, contentType, body: Buffer.from(answer) }),
    }
    const receipt = await sign(callOf(request.headers), hashes.request, hashes.response)
    if (stream !== true) {
      response.writeHead(200, { 'content-type': contentType, [RECEIPT_HEADER]: receipt }).end(answer)
      return
    }
    response.writeHead(200, { 'content-type': contentType })
    response.write(STREAM_EVENTS)
    response.end(`${RECEIPT_COMMENT}${receipt}\n${TERMINAL_EVENT}`)
  })
})
server.listen(Number(ASSAY_PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
