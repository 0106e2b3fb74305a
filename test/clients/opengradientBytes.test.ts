/** Canonical requests and output hashes, against what OpenGradient's own SDK recomputes when it checks an answer. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { canonicalRequest, teeOutputHash, teeRequestHash } from '@assay/protocol/opengradient'
import fc from 'fast-check'
import { pythonWithSdk } from './opengradient/python.ts'

const python = pythonWithSdk()
const skip = typeof python === 'string' ? python : false

/** Bodies as texts: how a number was written is part of what is hashed. */
const PEER = `
import json, sys
from opengradient.client import tee_verify
from opengradient.client.tee_verify import keccak
for body in json.load(sys.stdin):
    _, canonical = tee_verify.build_inner_request(json.loads(body))
    print(keccak(tee_verify.canonical_request_bytes(canonical)).hex())
`
const OUTPUTS = `
import json, sys
from opengradient.client import tee_verify
from opengradient.client.tee_verify import keccak
for body in json.load(sys.stdin):
    print(keccak(tee_verify.response_content_for_hash(body).encode()).hex())
`

function ask(program: string, input: unknown): string[] {
  assert.ok(typeof python !== 'string')
  const peer = spawnSync(python.interpreter, ['-c', program], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  assert.equal(peer.status, 0, peer.stderr)
  return peer.stdout.trimEnd().split('\n')
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const call = fc.record({
  id: text,
  type: fc.constant('function'),
  function: fc.record({ name: text, arguments: text }),
})
const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text }),
  fc.record({ type: fc.constant('image_url'), image_url: fc.record({ url: text }) }),
  fc.record({ type: fc.constant('file'), file: fc.record({ filename: text, file_data: text }) }),
)
const message = fc.oneof(
  fc.record({ role: fc.constantFrom('system', 'developer'), content: text, name: text }),
  fc.record({ role: fc.constant('user'), content: fc.oneof(text, fc.array(part, { maxLength: 3 })) }),
  fc.record(
    {
      role: fc.constant('assistant'),
      content: fc.option(text),
      tool_calls: fc.array(call, { maxLength: 2 }),
    },
    { requiredKeys: ['role'] },
  ),
  fc.record({ role: fc.constant('tool'), content: text, tool_call_id: text }),
)
const request = fc.record(
  {
    model: fc.stringMatching(/^[a-z0-9.-]{1,12}$/),
    messages: fc.array(message, { minLength: 1, maxLength: 4 }),
    temperature: fc.option(
      fc.oneof(fc.integer({ min: 0, max: 2 }), fc.double({ min: 0, max: 2, noNaN: true })),
    ),
    max_tokens: fc.option(fc.nat()),
    stop: fc.oneof(fc.constant(null), text, fc.array(text, { maxLength: 2 })),
    tools: fc.array(fc.record({ type: fc.constant('function'), function: fc.jsonValue() }), { maxLength: 2 }),
    response_format: maybe(fc.oneof(fc.constant({}), fc.record({ type: fc.constant('json_object') }))),
    web_search: fc.boolean(),
    top_p: fc.double({ min: 0, max: 1, noNaN: true }),
    stream: fc.boolean(),
    seed: fc.integer(),
  },
  { requiredKeys: ['model', 'messages'] },
)

test('1,000 generated requests hash as the SDK hashes them', { skip }, () => {
  const bodies = fc.sample(request, 1000).map((body) => JSON.stringify(body))
  const theirs = ask(PEER, bodies)
  for (const [at, body] of bodies.entries()) {
    const ours = teeRequestHash(canonicalRequest('chat', new TextEncoder().encode(body)))
    assert.equal(ours, `0x${theirs[at]}`, body)
  }
})

test('200 generated answers hash as the SDK hashes them', { skip }, () => {
  const calls = fc.sample(fc.array(call, { minLength: 1, maxLength: 3 }), 200)
  const theirs = ask(
    OUTPUTS,
    calls.map((tool_calls) => ({ choices: [{ finish_reason: 'tool_calls', message: { tool_calls } }] })),
  )
  for (const [at, made] of calls.entries()) {
    const flat = made.map(({ id, function: { name, arguments: given } }) => ({ id, name, arguments: given }))
    assert.equal(teeOutputHash({ calls: flat }), `0x${theirs[at]}`)
  }
})
