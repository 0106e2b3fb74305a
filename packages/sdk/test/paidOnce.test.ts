/** Frameworks ask again by themselves. Behind a payment that is another payment, so they are told not to, each in its way. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { OPG_DOMAIN } from '@assay/protocol'
import { createAssayProvider } from '../src/ai.ts'
import type { AssayFetchOptions } from '../src/index.ts'
import { ChatAssay } from '../src/langchain.ts'
import { manifest, stubForTests } from './stubNetwork.ts'

const stub = await stubForTests()

type Failure = { what: string; answer: (response: ServerResponse) => void; says: RegExp }
const FAILURES: Failure[] = [
  {
    what: 'the connection breaks behind the payment',
    answer: (response) => response.destroy(),
    says: /connection broke behind the payment/,
  },
  {
    what: 'the gateway says not to ask again',
    answer: (response) =>
      response
        .writeHead(504, { 'content-type': 'application/json', 'x-should-retry': 'false' })
        .end('{"error":{"message":"What was sent of it is charged.","code":"out_of_time"}}'),
    says: /is charged/,
  },
  {
    what: 'the answer is withheld',
    answer: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    says: /carries no receipt/,
  },
]

/** A gateway whose offer is good, and what becomes of a call that is paid for is not. */
async function paidInVain(
  answer: Failure['answer'],
  run: (assay: AssayFetchOptions) => Promise<void>,
): Promise<number> {
  let payments = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.headers['payment-signature'] !== undefined) {
        payments++
        return answer(response)
      }
      const offer = {
        ...{ scheme: 'exact', extra: OPG_DOMAIN, network: `eip155:${stub.network.chainId}` },
        ...{ asset: stub.network.contracts.OPG, amount: '100', maxTimeoutSeconds: 300 },
        payTo: '0x1111111111111111111111111111111111111111',
      }
      const required = { x402Version: 2, resource: { url: 'http://gateway.example/' }, accepts: [offer] }
      const encoded = Buffer.from(JSON.stringify(required)).toString('base64')
      response.writeHead(402, { 'payment-required': encoded }).end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const gatewayUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const network = { ...stub.network, gatewayUrl }
  try {
    await run({ network, chain: stub.chain, privateKey: stub.payerKey })
  } finally {
    server.closeAllConnections()
    server.close()
  }
  return payments
}

for (const { what, answer, says } of FAILURES) {
  test(`Vercel's AI SDK is not to ask again, and told why, where ${what}`, async () => {
    const final = (error: unknown) => {
      assert.match(String(error), says)
      // Where this is true it asks again: twice, unless `maxRetries` says otherwise.
      assert.equal((error as { isRetryable?: boolean }).isRetryable, false)
      return true
    }
    const payments = await paidInVain(answer, async (options) => {
      const model = createAssayProvider(options)(manifest.name)
      const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Where?' }] }]
      const asked = { prompt, maxOutputTokens: 12 }
      await assert.rejects(async () => model.doGenerate(asked), final)
      const embedding = createAssayProvider(options).embeddingModel(manifest.name)
      await assert.rejects(async () => embedding.doEmbed({ values: ['Where?'] }), final)
    })
    assert.equal(payments, 2)
  })

  test(`LangChain pays once, and hears why, where ${what}`, async () => {
    const payments = await paidInVain(answer, async (assay) => {
      const model = new ChatAssay({ model: manifest.name, maxTokens: 12, assay })
      await assert.rejects(model.invoke('Where?'), says)
    })
    assert.equal(payments, 1)
  })
}

test('what the caller himself got wrong is told in words, and not as a broken connection', async () => {
  const { network, chain, payerKey: privateKey } = stub
  const assay = { network, chain, privateKey, maxPerCall: 1n }
  await assert.rejects(new ChatAssay({ model: manifest.name, assay }).invoke('Where?'), /above your limit/)
})
