import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  deploymentOf,
  encodeReceiptHeader,
  listedHeaders,
  priceOf,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  receiptDigest,
  requestHash,
  responseHash,
  signDigest,
  tag,
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
  /** Says for which network it signs; needed before the first request. */
  serve(local: LocalNetwork, requestIdOf: (paymentHeader: string) => Hex): void
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
    serve({ network, gateway, payerKey, modelId }, requestIdOf) {
      const usage = { inputUnits: 20n, outputUnits: 20n, failed: false }
      const issuedAt = BigInt(Math.floor(Date.now() / 1000))
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
          engineClass: 0,
          mode: 1,
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
