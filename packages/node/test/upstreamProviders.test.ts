/** Which server is asked, how it proves itself, and what stands behind its answers. */
import assert from 'node:assert/strict'
import 'reflect-metadata'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { ENGINE_CLASS, MODE } from '@assay/protocol'
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import OpenAI from 'openai'
import { Agent, type Dispatcher } from 'undici'
import { EngineError } from '../src/engines/engine.ts'
import type { ProviderName, Target } from '../src/engines/upstream/providers.ts'
import { startUpstreamEngine } from '../src/engines/upstream/startUpstreamEngine.ts'
import {
  chatBody,
  MODEL,
  PATH,
  type PaidAnswer,
  PLENTY,
  paidHeaders,
  payingFetch,
  payment,
  startTestServer,
} from './harness.ts'
import { json, startUpstream } from './scriptedUpstream.ts'
import { chatAnswer, hello, KEY, nodeOver } from './upstreamNode.ts'

test('a provider is asked at its own address, and the enclave attests a proxy to it', async (t) => {
  const upstream = await startUpstream((_asked, response) => json(response, chatAnswer))
  t.after(() => upstream.close())
  const dialled: string[] = []
  // The one thing replaced is the wire below TLS: the request and the receipt are as they would be.
  const dispatcher = new Agent({
    connect: ({ hostname, protocol }, callback) => {
      dialled.push(`${protocol}//${hostname}`)
      const socket = connect(Number(new URL(upstream.url).port), '127.0.0.1', () => callback(null, socket))
    },
  })
  t.after(() => dispatcher.close())
  const baseUrl = 'https://api.openai.com/v1'
  const targets: Target[] = [{ provider: 'openai', baseUrl, model: 'theirs', key: KEY }]
  const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 1, dispatcher })
  const node = await startTestServer({ engine })
  t.after(() => node.close())
  const answers: PaidAnswer[] = []
  const openai = new OpenAI({ apiKey: 'x', baseURL: `${node.url}/v1`, fetch: payingFetch(node, answers) })
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.deepEqual(dialled, ['https://api.openai.com'])
  const { engineClass, mode } = answers[0]?.receipt ?? assert.fail()
  assert.deepEqual([engineClass, mode], [ENGINE_CLASS.providerProxy, MODE.tee])
})

test('a provider must prove itself by the roots in the image, whatever the host sets', async (t) => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=127.0.0.1',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----`
  let reached = 0
  const impostor = createServer({ key, cert: certificate.toString('pem') }, (_request, response) => {
    reached++
    response.end(JSON.stringify(chatAnswer))
  })
  await new Promise<void>((ready) => impostor.listen(0, '127.0.0.1', ready))
  t.after(() => impostor.close())
  const baseUrl = `https://127.0.0.1:${(impostor.address() as AddressInfo).port}/v1`
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.after(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  const ask = async (provider: ProviderName): Promise<string> => {
    const targets: Target[] = [{ provider, baseUrl, model: 'theirs', key: KEY }]
    const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 1 })
    const fields = { messages: hello }
    const work = { kind: 'native', route: 'chat', fields, stream: false, headers: {}, maxOutput: 9 } as const
    const prepared = engine.prepare(work)
    assert.ok('run' in prepared)
    const signal = new AbortController().signal
    const outcome = await prepared.run({ signal, emit: () => undefined }).then(
      () => 'answered',
      (error: unknown) => (error instanceof EngineError ? error.code : String(error)),
    )
    await engine.close()
    return outcome
  }
  assert.equal(await ask('openai'), 'upstream_failed')
  assert.equal(reached, 0)
  // An operator's own server is the operator's own business, and its receipts say so.
  assert.equal(await ask('openai-compatible'), 'answered')
})

test('a model that only the bond stands behind cannot be asked for as attested', async (t) => {
  const { node } = await nodeOver(t, 'openai-compatible', (_asked, response) => json(response, chatAnswer))
  for (const [mode, status] of [
    ['tee', 400],
    ['bonded', 200],
    ['auto', 200],
  ] as const) {
    const headers = await paidHeaders(await payment(PLENTY), { 'x-assay-verification': mode })
    const response = await fetch(node.url + PATH, { method: 'POST', body: chatBody(), headers })
    const text = await response.text()
    assert.equal(response.status, status, text)
    if (status === 400) assert.match(text, /auto, bonded/)
    else assert.equal(response.headers.get('x-assay-verification'), 'bonded')
  }
})

test('an upstream may think for ten minutes before its first byte and between two', async (t) => {
  const upstream = await startUpstream((_asked, response) => json(response, chatAnswer))
  t.after(() => upstream.close())
  const asked: Dispatcher.DispatchOptions[] = []
  const agent = new Agent().compose((dispatch) => (options, handler) => {
    asked.push(options)
    return dispatch(options, handler)
  })
  t.after(() => agent.close())
  const engine = startUpstreamEngine({
    contextLength: 2048,
    targets: [{ provider: 'openai-compatible', baseUrl: upstream.url, model: 'theirs', key: undefined }],
    concurrency: 1,
    dispatcher: agent,
  })
  const work = {
    kind: 'native',
    route: 'chat',
    fields: { messages: hello },
    stream: false,
    headers: {},
    maxOutput: 9,
  } as const
  const prepared = engine.prepare(work)
  assert.ok('run' in prepared)
  await prepared.run({ signal: new AbortController().signal, emit: () => undefined })
  assert.deepEqual(
    asked.map(({ headersTimeout, bodyTimeout }) => [headersTimeout, bodyTimeout]),
    [[600_000, 600_000]],
  )
})
