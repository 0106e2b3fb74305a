import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSender, DEVELOPMENT_ROLES, developmentAccount } from '@assay/chain'
import {
  deploymentOf,
  ENGINE_CLASS,
  encodeReceiptHeader,
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
import { LOCAL_PRICE, type LocalNetwork } from '../localNetwork.ts'
import { STREAM_EVENTS, TERMINAL_EVENT, WHOLE_ANSWER } from './stubUpstream.ts'

const KEY = tag('bench node key')

/**
 * The stub upstream behind a node's surface: the same bytes at once, with a receipt that is really signed. It takes the
 * request id from the caller, since reading payments is a node's work and not what is measured.
 */
export async function startStubNode(): Promise<{
  url: string
  /** Registers its key on the network it is to sign for; needed before the first request. */
  serve(local: LocalNetwork, requestIdOf: (paymentHeader: string) => Hex): Promise<void>
  close(): void
}> {
  let sign: ((paymentHeader: string, request: Hex, response: Hex) => Promise<string>) | undefined
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      const health = {
        key: privateKeyToAddress(KEY),
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
      const payment = String(request.headers['payment-signature'])
      const receipt = await (sign as NonNullable<typeof sign>)(payment, hashes.request, hashes.response)
      if (stream !== true) {
        response.writeHead(200, { 'content-type': contentType, [RECEIPT_HEADER]: receipt }).end(answer)
        return
      }
      response.writeHead(200, { 'content-type': contentType })
      response.write(STREAM_EVENTS)
      response.end(`${RECEIPT_COMMENT}${receipt}\n${TERMINAL_EVENT}`)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  let seq = 0n
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async serve({ network, gateway, payerKey, modelId, client }, requestIdOf) {
      await registerKey(network)
      const usage = { inputUnits: 20n, outputUnits: 20n, failed: false }
      // The chain's clock, for no key signs before it was registered.
      const { timestamp: issuedAt } = await client.getBlock()
      sign = async (payment, requestHash, responseHash) => {
        seq += 1n
        const receipt = {
          version: 1,
          requestId: requestIdOf(payment),
          payer: privateKeyToAddress(payerKey).toLowerCase() as Address,
          node: network.nodes[0]?.operator.toLowerCase() as Address,
          key: privateKeyToAddress(KEY).toLowerCase() as Address,
          seq,
          committer: gateway.address.toLowerCase() as Address,
          includeBy: issuedAt + 600n,
          modelId,
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
        const signature = await signDigest(receiptDigest(receipt, deploymentOf(network)), KEY)
        return encodeReceiptHeader({ receipt, signature })
      }
    },
    close: () => server.close(),
  }
}

/** The bond alone stands behind the key: what the gateway checks of it is the same. */
async function registerKey(network: LocalNetwork['network']): Promise<void> {
  const { privateKey, address: node } = developmentAccount(DEVELOPMENT_ROLES.node)
  const key = privateKeyToAddress(KEY)
  const digest = keyPossessionDigest({ node, key }, deploymentOf(network))
  await createSender({ network, privateKey }).send({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'registerBondedKey',
    args: [key, await signDigest(digest, KEY)],
  })
}
