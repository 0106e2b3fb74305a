import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { STATUS } from '@assay/protocol'
import OpenAI from 'openai'
import { generatePrivateKey } from 'viem/accounts'
import { assayFetch, type ChainReader, createAssay, SdkError, type VerifiedAnswer } from '../src/index.ts'
import { MAX_BODY_BYTES } from '../src/limits.ts'
import { manifest, messages, stubForTests, type Tampering } from './stubNetwork.ts'

const stub = await stubForTests()
const options = () => ({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })
const ask = (extra: { stream?: boolean; buffer?: boolean; onText?: (text: string) => void } = {}) =>
  createAssay({ ...options(), buffer: extra.buffer }).llm.chat({
    model: manifest.name,
    messages,
    wait: 'answer',
    stream: extra.stream,
    onText: extra.onText,
  })

test('a whole answer is paid for, verified and returned', async () => {
  const result = await ask()
  assert.deepEqual(result.chatOutput, { role: 'assistant', content: 'Paris.' })
  assert.equal(result.transactionHash, null)
  assert.equal(result.report.ok, true)
  assert.deepEqual(stub.seen, { unpaid: 1, paid: 1 })
})

test('a streamed answer arrives in pieces and is verified', async () => {
  const pieces: string[] = []
  const result = await ask({ stream: true, onText: (text) => pieces.push(text) })
  assert.deepEqual(pieces, ['Par', 'is.'])
  assert.equal(result.chatOutput.content, 'Paris.')
  assert.equal(result.report.ok, true)
})

test('of several streamed answers the first is the output, not all of them mixed', async () => {
  const delta = (index: number, content: string) =>
    `data: {"choices":[{"index":${index},"delta":{"content":"${content}"}}]}\n\n`
  stub.tamper = { streams: delta(0, 'Par') + delta(1, 'Lut') + delta(0, 'is') + delta(1, 'etia') }
  const { llm } = createAssay(options())
  const asked = { model: manifest.name, messages, wait: 'answer', extra: { n: 2, max_tokens: 900 } } as const
  const { chatOutput } = await llm.chat({ ...asked, stream: true })
  assert.equal(chatOutput.content, 'Paris')
})

for (const stream of [false, true]) {
  test(`an answer is not lost where the wait for its settlement fails (stream: ${stream})`, async () => {
    const { llm } = createAssay(options())
    const asked = { model: manifest.name, messages, stream, wait: 'settled', waitMilliseconds: 0 } as const
    const error = await llm.chat(asked).catch((error: unknown) => error)
    assert.ok(error instanceof SdkError, String(error))
    assert.deepEqual(error.answer?.output, { role: 'assistant', content: 'Paris.' })
    assert.equal(error.answer?.bundle.receipt.status, STATUS.complete)
  })
}

for (const scheme of ['upto', 'exact'] as const) {
  test(`pays by ${scheme}`, async () => {
    const paid = assayFetch({ ...options(), scheme })
    const response = await paid(`${stub.network.gatewayUrl}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: manifest.name, messages }),
    })
    assert.equal(response.status, 200)
  })
}

test('pays by exact where Permit2 was not approved', async () => {
  const chain = { ...stub.chain, permit2Allowance: async () => 0n }
  const result = await createAssay({ ...options(), chain }).llm.chat({
    model: manifest.name,
    messages,
    wait: 'answer',
  })
  assert.equal(result.report.ok, true)
})

test('the official OpenAI client gets whole and streamed answers through it', async () => {
  const answers: VerifiedAnswer[] = []
  const client = new OpenAI({
    baseURL: `${stub.network.gatewayUrl}/v1`,
    apiKey: 'unused',
    maxRetries: 0,
    fetch: assayFetch({ ...options(), onAnswer: (answer) => answers.push(answer) }),
  })
  const whole = await client.chat.completions.create({ model: manifest.name, messages })
  assert.equal(whole.choices[0]?.message.content, 'Paris.')
  let streamed = ''
  for await (const chunk of await client.chat.completions.create({
    model: manifest.name,
    messages,
    stream: true,
  })) {
    streamed += chunk.choices[0]?.delta.content ?? ''
  }
  assert.equal(streamed, 'Paris.')
  assert.equal(answers.length, 2)
})

const replace = (from: string, to: string) => (bytes: Uint8Array) =>
  new TextEncoder().encode(new TextDecoder().decode(bytes).replace(from, to))

const attacks: { name: string; tamper: () => Tampering; code: string; step?: string }[] = [
  {
    name: 'alters one byte of the answer',
    tamper: () => ({ body: replace('Par', 'Pbr') }),
    code: 'verification_failed',
    step: 'responseMatches',
  },
  {
    name: 'sends more than a client takes',
    tamper: () => ({ body: () => new Uint8Array(MAX_BODY_BYTES + 1) }),
    code: 'verification_failed',
  },
  {
    name: 'alters one byte of the request',
    tamper: () => ({ request: replace('France', 'Frenze') }),
    code: 'verification_failed',
  },
  {
    name: 'changes the status',
    tamper: () => ({ status: 201 }),
    code: 'verification_failed',
    step: 'responseMatches',
  },
  {
    name: 'signs with a key of its own',
    tamper: () => ({ signingKey: generatePrivateKey() }),
    code: 'verification_failed',
    step: 'signatureRecoversKey',
  },
  {
    name: 'names a key that was never registered',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, key: receipt.payer }) }),
    code: 'verification_failed',
    step: 'keyWasAttested',
  },
  {
    name: 'charges more than the price',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, price: receipt.price + 1n }) }),
    code: 'verification_failed',
    step: 'priceMatches',
  },
  {
    name: 'charges more than was authorised',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, price: 10n ** 9n }) }),
    code: 'verification_failed',
  },
  {
    name: 'answers with the receipt of another request',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, requestId: receipt.requestHash }) }),
    code: 'verification_failed',
  },
  {
    name: 'lets a stranger commit',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, committer: receipt.node }) }),
    code: 'verification_failed',
  },
  {
    name: 'has the answer stopped where that suits it',
    tamper: () => ({ receipt: (receipt) => ({ ...receipt, status: STATUS.cancelled }) }),
    code: 'verification_failed',
  },
  { name: 'leaves the receipt out', tamper: () => ({ withoutReceipt: true }), code: 'receipt_missing' },
]
for (const { name, tamper, code, step } of attacks) {
  for (const mode of ['whole', 'buffered stream'] as const) {
    test(`a gateway that ${name} is caught before content is shown (${mode})`, async () => {
      stub.tamper = tamper()
      let shown = ''
      const answer = ask({
        stream: mode !== 'whole',
        buffer: true,
        onText: (text) => {
          shown += text
        },
      })
      await assert.rejects(answer, (error) => {
        assert.ok(error instanceof SdkError, String(error))
        assert.equal(error.code, code)
        if (step !== undefined) assert.ok(step in error.facts, JSON.stringify(error.facts))
        return true
      })
      assert.equal(shown, '')
      assert.equal(stub.seen.paid, 1)
    })
  }
}

const vendors: Record<string, (retrying: typeof fetch) => Promise<unknown>> = {
  OpenAI: (retrying) =>
    new OpenAI({
      baseURL: `${stub.network.gatewayUrl}/v1`,
      apiKey: 'unused',
      fetch: retrying,
    }).chat.completions.create({ model: manifest.name, messages }),
  Anthropic: (retrying) =>
    new Anthropic({ baseURL: stub.network.gatewayUrl, apiKey: 'unused', fetch: retrying }).messages.create({
      model: manifest.name,
      max_tokens: 2000,
      messages,
    }),
}
for (const [vendor, asks] of Object.entries(vendors)) {
  test(`the official ${vendor} client tells its caller's mistake for what it is, and tries it once`, async () => {
    const cases = [
      { own: { network: { ...stub.network, models: [] } }, status: 404, says: /lists no such model/ },
      { own: { maxPerCall: 1n }, status: 402, says: /above your limit/ },
    ]
    for (const { own, status, says } of cases) {
      let tries = 0
      const paying = assayFetch({ ...options(), ...own })
      const counted: typeof fetch = (input, init) => {
        tries++
        return paying(input, init)
      }
      await assert.rejects(asks(counted), (error) => {
        assert.ok(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)
        assert.equal(error.status, status)
        assert.match(error.message, says)
        return true
      })
      assert.deepEqual([tries, stub.seen.paid], [1, 0])
    }
  })
}

const chainAway: ChainReader['view'] = () => Promise.reject(new Error('the RPC is away'))
for (const [vendor, asks] of Object.entries(vendors)) {
  test(`the official ${vendor} client, which tries again by itself, pays once for an answer that is withheld`, async () => {
    const cases = [
      { tamper: { body: replace('Par', 'Pbr') }, code: /verification_failed|did not pass verification/ },
      { tamper: { withoutReceipt: true }, code: /receipt/ },
      { tamper: {}, chain: { ...stub.chain, view: chainAway }, code: /chain could not be read/ },
    ]
    for (const { tamper, code, chain = stub.chain } of cases) {
      stub.tamper = tamper
      stub.seen.paid = 0
      for (const fetch of [assayFetch({ ...options(), chain }), createAssay({ ...options(), chain }).fetch]) {
        await assert.rejects(asks(fetch), (error) => {
          assert.ok(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)
          assert.equal(error.status, 502)
          assert.match(error.message, code)
          return true
        })
      }
      assert.equal(stub.seen.paid, 2, 'once each')
    }
  })
}

test('numbers that no proof will stand behind are withheld', async () => {
  const { llm } = createAssay(options())
  await assert.rejects(
    llm.infer({ model: manifest.name, input: [1], wait: 'answer' }),
    (error) => error instanceof SdkError && error.facts.disagrees === 'mode',
  )
})

const downgrades = [
  { name: 'from a bonded node to who asked for an enclave', asked: { verification: 'tee' } },
  { name: 'of a mode that there is not', asked: { verification: 'best' as 'auto' } },
  { name: 'with less at risk than was stated', asked: { valueAtRisk: '0.5' } },
  { name: 'to a value at risk that is no amount', asked: { valueAtRisk: 'much' } },
] as const
for (const { name, asked } of downgrades) {
  test(`an answer is withheld that comes ${name}`, async () => {
    const { llm } = createAssay(options())
    await assert.rejects(
      llm.chat({ model: manifest.name, messages, wait: 'answer', ...asked }),
      (error) =>
        error instanceof SdkError &&
        error.code === 'verification_failed' &&
        error.facts.disagrees === ('verification' in asked ? 'mode' : 'valueAtRisk'),
    )
  })
}

test('an answer is good that is worth what was asked, or more', async () => {
  stub.tamper = { receipt: (receipt) => ({ ...receipt, valueAtRisk: 5n * 10n ** 17n }) }
  const { llm } = createAssay(options())
  for (const valueAtRisk of ['0.5', '0.4', undefined]) {
    const asked = { model: manifest.name, messages, verification: 'bonded', valueAtRisk } as const
    const { report } = await llm.chat({ ...asked, wait: 'answer' })
    assert.equal(report.ok, true)
  }
})

test('an unbuffered stream that was altered ends in an error, never in completion', async () => {
  stub.tamper = { body: replace('is.', 'iz.') }
  const response = await assayFetch(options())(`${stub.network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: manifest.name, messages, stream: true }),
  })
  let text = ''
  await assert.rejects(async () => {
    for await (const part of response.body ?? []) text += new TextDecoder().decode(part)
  }, SdkError)
  assert.ok(!text.includes('[DONE]'))
})

test('a gateway that takes a connection and stays silent is left before it is paid, and the next one answers', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const silent = createServer(() => context.mock.timers.tick(10_000))
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening))
  try {
    const gatewayUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const network = { ...stub.network, gatewayUrl }
    const paid = assayFetch({ ...options(), network, fallbacks: [stub.network] })
    const ask = () =>
      paid(`${gatewayUrl}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: manifest.name, messages }),
      })
    assert.equal((await ask()).status, 200)
    assert.deepEqual(stub.seen, { unpaid: 1, paid: 1 })
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})

test('a gateway that is not there is said to be unreachable', async () => {
  const network = { ...stub.network, gatewayUrl: 'http://127.0.0.1:9' }
  await assert.rejects(
    createAssay({ ...options(), network }).llm.chat({ model: manifest.name, messages, wait: 'answer' }),
    (error) => error instanceof SdkError && error.code === 'unreachable',
  )
})
