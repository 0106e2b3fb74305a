/** What a call is refused for before anything is signed: an offer, a price, a model or a place that is not as it must be. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Network } from '@assay/protocol'
import { createAssayProvider } from '../src/ai.ts'
import { agentTools, assayFetch, type CallParameters, createAssay, SdkError } from '../src/index.ts'
import { ChatAssay } from '../src/langchain.ts'
import { manifest, messages, stubForTests, type Tampering } from './stubNetwork.ts'

const stub = await stubForTests()
const options = () => ({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })

test('what is no private key is said to be none, and not repeated', () => {
  const privateKey = `0x${'00'.repeat(32)}` as const
  for (const wrong of [privateKey, '0x12' as const, 'abc' as `0x${string}`]) {
    assert.throws(
      () => createAssay({ ...options(), privateKey: wrong }),
      (error) =>
        error instanceof SdkError && error.code === 'offer_rejected' && !error.message.includes(wrong),
    )
  }
})

test('a settlement that every node refuses cannot be asked for by name', () => {
  const taken: CallParameters[] = [{ settlement: 'batch' }, { settlement: 'full' }]
  // @ts-expect-error a node answers it with `unsupported_settlement`
  taken.push({ settlement: 'private' })
  assert.equal(taken.length, 3)
})

test('an option that there is not is refused by its name: a limit that is misspelt would be none', () => {
  const misspelt = { ...options(), maxPerDay: 1n }
  const said = (error: unknown) =>
    error instanceof SdkError && error.code === 'bad_input' && error.message.includes('`maxPerDay`')
  for (const make of [createAssay, assayFetch, createAssayProvider]) {
    assert.throws(() => make(misspelt), said, make.name)
  }
  assert.throws(() => new ChatAssay({ model: 'm', assay: misspelt }), said)
  createAssay({ ...options(), maxPerCall: undefined })
})

test('an agent that gives a tool what it does not take is told so', async () => {
  for (const tool of agentTools(createAssay(options()))) {
    const ask = tool.run({ prompt: 'a', requestId: `0x${'0'.repeat(64)}`, temperature: 1 })
    await assert.rejects(ask, (error) => error instanceof SdkError && error.code === 'bad_input', tool.name)
  }
  assert.equal(stub.seen.unpaid, 0)
})

test('what a call does not know is refused by its name, and not dropped from what is paid for', async () => {
  const { llm } = createAssay(options())
  const model = manifest.name
  // As a program in JavaScript may call it, or one that spreads a request made elsewhere.
  const asking = <Asked extends object>(asked: Asked, more: object) =>
    ({ ...asked, wait: 'answer', ...more }) as Asked
  const cases: [name: string, call: (more: object) => Promise<unknown>][] = [
    ['logprobs', (more) => llm.chat(asking({ model, messages }, more))],
    ['n', (more) => llm.stream(asking({ model, messages }, more))],
    ['top_p', (more) => llm.completion(asking({ model, prompt: 'a' }, more))],
    ['dimensions', (more) => llm.embed(asking({ model, input: 'a' }, more))],
    ['max_tokens', (more) => llm.infer(asking({ model, input: [1] }, more))],
  ]
  for (const [name, call] of cases) {
    for (const [more, says] of [
      [{ [name]: 2 }, `\`${name}\` is no parameter`],
      [{ wait: 'finl' }, '`wait` can be: answer, settled, final'],
    ] as const) {
      await assert.rejects(
        call(more),
        (error) => error instanceof SdkError && error.code === 'bad_input' && error.message.includes(says),
        name,
      )
    }
  }
  assert.equal(stub.seen.paid, 0)
  await llm.chat(asking({ model, messages }, { logprobs: undefined, extra: { n: 1 } }))
  assert.equal(stub.seen.paid, 1)
})

const refusals: { name: string; tamper: Tampering; maxPerCall?: bigint; code: string }[] = [
  {
    name: 'another till',
    tamper: { payTo: '0x2222222222222222222222222222222222222222' },
    code: 'offer_rejected',
  },
  { name: 'a payment that outlives its day', tamper: { maxTimeoutSeconds: 86_401 }, code: 'offer_rejected' },
  {
    name: 'a lifetime in letters, which is joined to the time and not added',
    tamper: { maxTimeoutSeconds: '300' as unknown as number },
    code: 'offer_rejected',
  },
  { name: 'more than the limit', tamper: {}, maxPerCall: 4999n, code: 'over_limit' },
  { name: "more than the publisher's price", tamper: { amount: 10_000n }, code: 'offer_rejected' },
  { name: 'an absurd amount', tamper: { amount: 10n ** 30n }, code: 'over_limit' },
]
for (const { name, tamper, maxPerCall, code } of refusals) {
  test(`nothing is signed for an offer that asks for ${name}`, async () => {
    stub.tamper = tamper
    const chat = createAssay({ ...options(), maxPerCall }).llm.chat({
      model: manifest.name,
      messages,
      wait: 'answer',
    })
    await assert.rejects(chat, (error) => error instanceof SdkError && error.code === code)
    assert.equal(stub.seen.paid, 0)
  })
}

test('nothing is signed where the registry cannot say what the request may cost', async () => {
  const unpriced = { ...stub.chain, priceOf: async () => undefined }
  const cases = [
    { extra: { max_tokens: 0 }, chain: stub.chain, why: /max_tokens/ },
    { extra: {}, chain: unpriced, why: /no price/ },
  ]
  for (const { extra, chain, why } of cases) {
    const { llm } = createAssay({ ...options(), chain })
    await assert.rejects(
      llm.chat({ model: manifest.name, messages, extra, wait: 'answer' }),
      (error) =>
        error instanceof SdkError && error.code === 'offer_rejected' && why.test(String(error.facts.why)),
    )
  }
  assert.equal(stub.seen.paid, 0)
})

test('a model may be named by its id, and is priced all the same', async () => {
  const [listed] = stub.network.models
  const ask = { model: listed?.modelId ?? '', messages, wait: 'answer' } as const
  assert.equal((await createAssay(options()).llm.chat(ask)).report.ok, true)
  stub.tamper = { amount: 10_000n }
  await assert.rejects(
    createAssay(options()).llm.chat(ask),
    (error) => error instanceof SdkError && error.code === 'offer_rejected',
  )
})

test('a model that the network file does not list is refused before paying', async () => {
  const chat = createAssay(options()).llm.chat({ model: 'other', messages, wait: 'answer' })
  await assert.rejects(chat, (error) => error instanceof SdkError && error.code === 'unknown_model')
  assert.equal(stub.seen.paid, 0)
})

test('a request to another origin is not paid for', async () => {
  await assert.rejects(
    assayFetch(options())('http://127.0.0.1:9/v1/chat/completions', { method: 'POST', body: '{}' }),
    (error) => error instanceof SdkError && error.code === 'offer_rejected',
  )
})

for (const body of ['{', '', '[]', 'null', '{"messages":[]}', '{"model":5}']) {
  test(`a body that names no model (${body}) is refused in the words of the gateway, and never paid for`, async () => {
    const told = '{"error":{"message":"The body is not valid JSON.","code":"invalid_json"}}'
    const honest = createServer((_, response) => void response.writeHead(400).end(told))
    await new Promise<void>((listening) => honest.listen(0, '127.0.0.1', listening))
    try {
      const gatewayUrl = `http://127.0.0.1:${(honest.address() as AddressInfo).port}`
      const ask = (network: Network) =>
        assayFetch({ ...options(), network })(`${network.gatewayUrl}/v1/chat/completions`, {
          method: 'POST',
          body,
        })
      const answer = await ask({ ...stub.network, gatewayUrl })
      assert.deepEqual([answer.status, await answer.text()], [400, told])
      // One that asks for money all the same gets none.
      await assert.rejects(
        ask(stub.network),
        (error) => error instanceof SdkError && error.code === 'offer_rejected',
      )
      assert.equal(stub.seen.paid, 0)
    } finally {
      honest.close()
    }
  })
}

test('what a gateway refuses is told with the id under which its operator finds it', async () => {
  const body = '{"error":{"message":"The API key is not known.","code":"invalid_api_key"}}'
  const server = createServer((_, response) => {
    response.writeHead(401, { 'content-type': 'application/json', 'x-request-id': 'req_1' }).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  try {
    const gatewayUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const network = { ...stub.network, gatewayUrl }
    const { llm } = createAssay({ network, chain: stub.chain, apiKey: `assay_${'A'.repeat(43)}` })
    await assert.rejects(llm.chat({ model: manifest.name, messages }), (error) => {
      assert.ok(error instanceof SdkError)
      assert.deepEqual(error.facts, { status: 401, code: 'invalid_api_key', id: 'req_1' })
      return true
    })
  } finally {
    server.close()
  }
})
