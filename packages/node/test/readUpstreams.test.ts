/** The file of upstream models: keys are found once and shown to nobody, and a mistake is named. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { AssayError, modelIdOf } from '@assay/protocol'
import { engineClassOf } from '../src/engines/upstream/providers.ts'
import { readUpstreams, takeUpstreamKeys } from '../src/engines/upstream/readUpstreams.ts'
import { SealedKey } from '../src/engines/upstream/sealedKey.ts'

const folder = mkdtempSync(join(tmpdir(), 'assay-upstreams-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function read(content: unknown, env: Record<string, string | undefined> = {}) {
  const path = join(folder, 'upstreams.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return readUpstreams(path, env)
}

const server = { provider: 'openai-compatible', baseUrl: 'http://127.0.0.1:8000/v1/', model: 'llama' }
const paid = { provider: 'anthropic', model: 'claude', keyEnv: 'THEIR_KEY' }

test('servers and providers, their keys from a variable or a file, each once', () => {
  const keyFile = join(folder, 'key')
  writeFileSync(keyFile, 'sk-of-the-file\n')
  const env: Record<string, string | undefined> = { THEIR_KEY: 'sk-of-the-variable', OTHER: 'stays' }
  const [own, provider] = read(
    {
      models: [
        {
          name: 'llama-8b',
          contextLength: 8192,
          maxOutput: 2048,
          license: 'Apache-2.0',
          ignores: ['n', 'logit_bias'],
          targets: [server, { ...server, keyFile, model: 'llama-again' }],
        },
        { name: 'claude', contextLength: 200_000, betas: ['context-1m-2025-08-07'], targets: [paid] },
      ],
    },
    env,
  )
  assert.deepEqual(own?.manifest, {
    name: 'llama-8b',
    engine: 'upstream:openai-compatible:llama',
    files: [],
    contextLength: 8192,
    license: 'Apache-2.0',
    modes: ['bonded'],
  })
  assert.deepEqual(
    own?.engine.targets.map(({ baseUrl, key, model }) => [baseUrl, key, model]),
    [
      ['http://127.0.0.1:8000/v1', undefined, 'llama'],
      ['http://127.0.0.1:8000/v1', 'sk-of-the-file', 'llama-again'],
    ],
  )
  assert.equal(own?.engine.maxOutput, 2048)
  assert.deepEqual(own?.engine.ignores, ['n', 'logit_bias'])
  assert.deepEqual(provider?.manifest.modes, ['tee'])
  assert.deepEqual([own?.engine.betas, provider?.engine.betas], [undefined, ['context-1m-2025-08-07']])
  const target = provider?.engine.targets[0]
  assert.deepEqual([target?.baseUrl, target?.key], ['https://api.anthropic.com/v1', 'sk-of-the-variable'])
  assert.deepEqual(env, { OTHER: 'stays' }, 'the key is gone from the environment')
  assert.match(modelIdOf(provider?.manifest ?? assert.fail()), /^0x/)
})

test('whoever starts a node beside others takes the keys for it out of what they inherit', () => {
  const file = join(folder, 'taken.json')
  const targets = [
    { ...server, keyEnv: 'THEIR_KEY' },
    { ...server, keyEnv: 'UNSET' },
    { ...server, keyFile: '/nowhere' },
  ]
  writeFileSync(file, JSON.stringify({ models: [{ name: 'm', contextLength: 8192, targets }] }))
  const env = { THEIR_KEY: 'sk-of-the-variable', OTHER: 'stays' }
  assert.deepEqual(takeUpstreamKeys(file, env), { THEIR_KEY: 'sk-of-the-variable' })
  assert.deepEqual(env, { OTHER: 'stays' })
})

test('a key that the enclave is to be given is awaited, one for all targets that call it the same', () => {
  const target = { provider: 'anthropic', model: 'claude', keyName: 'main' }
  const two = (name: string) => ({
    name,
    contextLength: 10,
    targets: [target, { ...target, keyName: 'other' }],
  })
  const keys = read({ models: [two('a'), two('b')] }).map(({ engine }) =>
    engine.targets.map(({ key }) => key),
  )
  const [main, other] = keys[0] ?? assert.fail()
  assert.ok(main instanceof SealedKey && other instanceof SealedKey && main !== other)
  assert.deepEqual([main.provider, main.name, main.value], ['anthropic', 'main', undefined])
  assert.ok(keys[1]?.[0] === main && keys[1][1] === other)
})

test('only the addresses in the code make a provider proxy', () => {
  for (const name of ['openai', 'anthropic', 'gemini', 'xai'] as const) assert.equal(engineClassOf(name), 1)
  assert.equal(engineClassOf('openai-compatible'), 2)
  assert.equal(engineClassOf('anthropic-compatible'), 2)
})

const named = { provider: 'anthropic', model: 'claude', keyName: 'main' }
const model = (targets: unknown, more: object = {}) => ({
  models: [{ name: 'm', contextLength: 10, targets, ...more }],
})
const mistakes: [what: string, content: unknown, problem: RegExp][] = [
  ['no JSON', '{"key":"sk-secret', /: it is no JSON/],
  ['no models', {}, /models must be a list/],
  ['a misspelt member', model([server], { contextlength: 1 }), /contextlength is not known/],
  ['no context length', model([server], { contextLength: 'big' }), /contextLength must be a whole number/],
  ['more output than context', model([server], { maxOutput: 11 }), /maxOutput must be/],
  ['betas that are no list', model([paid], { betas: 'x' }), /betas must be a list/],
  ['betas of no text', model([paid], { betas: [1] }), /betas\[0\] must be a text/],
  ['ignored members that are no list', model([server], { ignores: 'n' }), /ignores must be a list/],
  ['betas of another dialect', model([server], { betas: ['x'] }), /betas are for targets of Anthropic's/],
  ['an unknown provider', model([{ ...server, provider: 'acme' }]), /provider must be one of openai, /],
  ['no address', model([{ ...server, baseUrl: undefined }]), /baseUrl must be a text/],
  ['another protocol', model([{ ...server, baseUrl: 'file:///etc' }]), /baseUrl must be an http/],
  ['credentials in the address', model([{ ...server, baseUrl: 'http://a:b@c/' }]), /without credentials/],
  ['an address for a known provider', model([{ ...paid, baseUrl: 'http://evil/' }]), /must be left out/],
  ['no key for a provider', model([{ ...paid, keyEnv: undefined }]), /needs keyName, keyEnv or keyFile/],
  [
    'two ways to a key',
    model([{ ...paid, keyName: 'main' }]),
    /must have one of keyEnv, keyFile and keyName/,
  ],
  ['a name that is no word', model([{ ...named, keyName: 'My key' }]), /keyName must be a word/],
  ['a sealed key for any server', model([{ ...server, keyName: 'main' }]), /is for openai, anthropic, /],
  [
    'one key for two providers',
    { models: [...model([named]).models, ...model([{ ...named, provider: 'xai' }]).models] },
    /models\[1\]\.targets\[0\]\.keyName names the key of another provider: anthropic/,
  ],
  ['a variable that is not set', model([{ ...paid, keyEnv: 'NOT_SET' }]), /not set: NOT_SET/],
  [
    'a file that is not there',
    model([{ ...server, keyFile: '/nowhere/key' }]),
    /cannot be read: \/nowhere\/key/,
  ],
  ['two kinds of provider', model([paid, server]), /must all be the same model/],
  ['another model of a provider', model([paid, { ...paid, model: 'other' }]), /must all be the same model/],
  ['one name twice', { models: [...model([server]).models, ...model([server]).models] }, /the same name/],
]
for (const [what, content, problem] of mistakes) {
  test(`a mistake: ${what}`, () => {
    const env = { THEIR_KEY: 'sk-secret', TWO_LINES: 'sk-\nsecret' }
    assert.throws(
      () => read(content, env),
      (error: unknown) => {
        assert.ok(error instanceof AssayError && error.code === 'config')
        assert.match(error.message, problem)
        assert.ok(!error.message.includes('secret'))
        return true
      },
    )
  })
}

test('a key that would break the request is refused without being quoted', () => {
  assert.throws(
    () => read(model([{ ...paid, keyEnv: 'TWO' }]), { TWO: 'sk-\nsecret' }),
    (error: unknown) => error instanceof AssayError && !error.message.includes('secret'),
  )
})

test('a file that is not there is said to be missing, not to be no JSON', () => {
  assert.throws(
    () => readUpstreams(join(folder, 'nowhere.json'), {}),
    (error: unknown) => error instanceof AssayError && /cannot be read \(ENOENT\)/.test(error.message),
  )
})
