/** Keys of providers that the enclave is given while it runs: who may give one, where it goes, and what there is without it. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import {
  BinaryResponseReader,
  canonicalJsonBytes,
  concatBytes,
  encapsulateRequest,
  encodeBinaryRequest,
  encodeProviderKey,
  OHTTP_REQUEST_TYPE,
  type OhttpForm,
  PROVIDER_KEYS_PATH,
  type ProviderKey,
  providerKeyDigest,
  REFUSED_HEADER,
  signDigest,
} from '@assay/protocol'
import OpenAI from 'openai'
import { Agent } from 'undici'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import type { Target } from '../src/engines/upstream/providers.ts'
import { SealedKey } from '../src/engines/upstream/sealedKey.ts'
import { startUpstreamEngine } from '../src/engines/upstream/startUpstreamEngine.ts'
import {
  chatBody,
  DEPLOYMENT,
  MODEL,
  OPERATOR_KEY,
  PATH,
  type PaidAnswer,
  PLENTY,
  paidHeaders,
  payingFetch,
  payment,
  startTestServer,
  type TestServer,
} from './harness.ts'
import { json, startUpstream } from './scriptedUpstream.ts'
import { chatAnswer, hello } from './upstreamNode.ts'

const SECRET = 'sk-secret-that-the-host-never-had'

/** A node in front of a provider whose key is awaited; the one thing replaced is the wire below TLS. */
async function awaitingNode(t: TestContext, others: Target[] = []) {
  const upstream = await startUpstream((_asked, response) => json(response, chatAnswer))
  t.after(() => upstream.close())
  const { port } = new URL(upstream.url)
  const dispatcher = new Agent({
    connect: (_options, callback) => {
      const socket = connect(Number(port), '127.0.0.1', () => callback(null, socket))
    },
  })
  t.after(() => dispatcher.close())
  const key = new SealedKey('openai', 'main')
  const baseUrl = 'https://api.openai.com/v1'
  const targets: Target[] = [{ provider: 'openai', baseUrl, model: 'theirs', key }, ...others]
  const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 1, dispatcher })
  const node = await startTestServer({ engine, sealedKeys: new Map([[key.name, key]]) })
  t.after(async () => {
    assert.ok(!JSON.stringify(node.events).includes('secret'), 'no key is logged')
    await node.close()
  })
  const answers: PaidAnswer[] = []
  const fetch = payingFetch(node, answers)
  const openai = new OpenAI({ apiKey: 'x', baseURL: `${node.url}/v1`, maxRetries: 0, fetch })
  return { node, upstream, openai, answers }
}

type Given = {
  key?: Partial<ProviderKey>
  signer?: Hex
  path?: string
  form?: OhttpForm
  body?: (key: ProviderKey, signature: Hex) => Uint8Array
}

/** Gives the node a key, as its operator would; what is given differs in what is named. */
async function give(node: TestServer, given: Given = {}) {
  const { signer = OPERATOR_KEY, path = PROVIDER_KEYS_PATH, form = 'chunked' } = given
  const ours = { enclave: node.enclave.key, provider: 'openai', name: 'main', secret: SECRET, sequence: 1n }
  const key = { ...ours, ...given.key }
  const signature = await signDigest(providerKeyDigest(key, DEPLOYMENT), signer)
  const body = given.body?.(key, signature) ?? encodeProviderKey({ key, signature })
  const head = { method: 'POST', scheme: 'https', authority: 'enclave', path, headers: [] }
  const request = await encapsulateRequest(
    node.enclave.ohttp.config,
    encodeBinaryRequest({ ...head, body }),
    form,
  )
  const answer = await fetch(node.url + PROVIDER_KEYS_PATH, {
    method: 'POST',
    headers: { 'content-type': OHTTP_REQUEST_TYPE[form] },
    body: Uint8Array.from(request.body),
  })
  assert.equal(answer.status, 200)
  const reader = new BinaryResponseReader()
  const parts: Uint8Array[] = []
  for (const plain of [
    ...(await request.opener.push(new Uint8Array(await answer.arrayBuffer()))),
    await request.opener.end(),
  ]) {
    parts.push(...reader.push(plain))
  }
  parts.push(reader.end())
  const said = JSON.parse(new TextDecoder().decode(concatBytes(parts))) as {
    error?: { code: string; message: string }
  }
  const status = reader.head?.status
  if (status !== 200) assert.equal(answer.headers.get(REFUSED_HEADER), String(status))
  return { status, ...said, request: request.body }
}

const offered = async (node: TestServer) => {
  const health = await fetch(`${node.url}/health`)
  const { models, awaitedKeys } = (await health.json()) as { models: unknown[]; awaitedKeys: string[] }
  return { status: health.status, models: models.length, awaitedKeys }
}

test('a model whose key is awaited is not offered and costs nothing; with the key it is, and the provider hears it', async (t) => {
  const { node, upstream, openai, answers } = await awaitingNode(t)
  assert.deepEqual(await offered(node), { status: 200, models: 0, awaitedKeys: ['main'] })
  const paid = await payment(PLENTY)
  const headers = await paidHeaders(paid)
  const refused = await fetch(node.url + PATH, { method: 'POST', body: chatBody(), headers })
  assert.equal(refused.status, 503)
  assert.match(await refused.text(), /was not given the key of this model/)
  assert.equal((await fetch(`${node.url}/v1/receipts/${paid.requestId}`)).status, 404)
  assert.equal(upstream.asked.length, 0)

  assert.deepEqual(await give(node).then(({ request: _sent, ...said }) => said), {
    ...{ status: 200, provider: 'openai', name: 'main' },
  })
  assert.deepEqual(await offered(node), { status: 200, models: 1, awaitedKeys: [] })
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.equal(upstream.asked[0]?.headers.authorization, `Bearer ${SECRET}`)
  assert.equal(answers.length, 1)
  assert.deepEqual(
    node.events.filter(({ event }) => event === 'provider_key_taken'),
    [{ event: 'provider_key_taken', provider: 'openai', name: 'main' }],
  )
})

test('a newer key takes the place of the one before, and an older one, or the same message again, does not', async (t) => {
  const { node, upstream, openai } = await awaitingNode(t)
  const { request } = await give(node, { form: 'whole', key: { sequence: 5n } })
  assert.equal((await give(node, { key: { sequence: 6n, secret: 'sk-second-secret' } })).status, 200)
  for (const sequence of [5n, 6n]) {
    const { status, error } = await give(node, { key: { sequence } })
    assert.deepEqual([status, error?.code], [409, 'not_newer'])
  }
  const again = await fetch(node.url + PROVIDER_KEYS_PATH, {
    method: 'POST',
    headers: { 'content-type': OHTTP_REQUEST_TYPE.whole },
    body: Uint8Array.from(request),
  })
  assert.equal(again.headers.get(REFUSED_HEADER), '409')
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.equal(upstream.asked[0]?.headers.authorization, 'Bearer sk-second-secret')
})

test('a target with its key answers while another waits for one', async (t) => {
  const baseUrl = 'https://api.openai.com/v1'
  const { node, upstream, openai } = await awaitingNode(t, [
    { provider: 'openai', baseUrl, model: 'theirs', key: 'sk-secret-of-the-file' },
  ])
  assert.deepEqual(await offered(node), { status: 200, models: 1, awaitedKeys: ['main'] })
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  await give(node)
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.deepEqual(
    upstream.asked.map(({ headers }) => headers.authorization),
    ['Bearer sk-secret-of-the-file', `Bearer ${SECRET}`],
  )
})

const refusals: [what: string, given: Given, status: number, code: string][] = [
  ['of a stranger', { signer: generatePrivateKey() }, 403, 'not_operator'],
  ['for another enclave', { key: { enclave: `0x${'77'.repeat(20)}` } }, 409, 'other_enclave'],
  ['for another provider', { key: { provider: 'anthropic' } }, 409, 'other_provider'],
  ['under a name that no model has', { key: { name: 'other' } }, 404, 'unknown_key'],
  ['at another path', { path: '/v1/chat/completions' }, 404, 'not_found'],
  [
    'that is not the one that was signed',
    { body: (key, signature) => encodeProviderKey({ key: { ...key, secret: 'sk-of-another' }, signature }) },
    403,
    'not_operator',
  ],
  ['of two lines', { key: { secret: 'sk-\nsecret' } }, 400, 'malformed'],
  ['that is empty', { key: { secret: '' } }, 400, 'malformed'],
  ['of no JSON', { body: () => new Uint8Array([1, 2, 3]) }, 400, 'malformed'],
  [
    'with a signature of no bytes',
    { body: (key) => encodeProviderKey({ key, signature: '0x' }) },
    400,
    'malformed',
  ],
  [
    'with a signature that is the malleable twin',
    { body: (key) => encodeProviderKey({ key, signature: `0x${'11'.repeat(32)}${'ff'.repeat(32)}1b` }) },
    400,
    'bad_signature',
  ],
  [
    'with a member too many',
    { body: (key, signature) => canonicalJsonBytes({ key: { ...key, sequence: '1', more: 1 }, signature }) },
    400,
    'malformed',
  ],
]
for (const [what, given, status, code] of refusals) {
  test(`no key ${what}`, async (t) => {
    const { node } = await awaitingNode(t)
    const said = await give(node, given)
    assert.deepEqual([said.status, said.error?.code], [status, code])
    assert.ok(!said.error?.message.includes('sk-'), 'and no key is repeated')
    assert.deepEqual((await offered(node)).awaitedKeys, ['main'])
  })
}

test('what is not encrypted to the enclave, or too long to be a key, is not looked at', async (t) => {
  const { node } = await awaitingNode(t)
  let said = ''
  const post = async (type: string, body: Uint8Array<ArrayBuffer>) => {
    const answer = await fetch(node.url + PROVIDER_KEYS_PATH, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    const { error } = (await answer.json()) as { error: { code: string; message: string } }
    said = error.message
    return [answer.status, error.code]
  }
  const { whole } = OHTTP_REQUEST_TYPE
  assert.deepEqual(await post('application/json', new Uint8Array(9)), [415, 'unsupported_media_type'])
  assert.deepEqual(await post(whole, new Uint8Array(100)), [422, 'ohttp_key'])
  assert.deepEqual(await post(whole, new Uint8Array(20_000)), [413, 'body_too_large'])
  assert.ok(Number(/larger than (\d+) bytes/.exec(said)?.[1]) < 20_000, said)
})
