/** Hashes, statements and trees of OpenGradient's wire format, from the vectors of its own public code. */
import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, type Hex, hexToBytes } from 'viem'
import {
  canonicalRequest,
  isSettled,
  readTeeFields,
  settlementTree,
  type TeeStatement,
  teeFields,
  teeIdOf,
  teeMessage,
  teeOutputHash,
  teeRequestHash,
  teeSignatureHolds,
} from '../../src/opengradient/index.ts'

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const TIMESTAMP = 1_750_000_000

test('the golden vectors: request, output, message', () => {
  const body = bytes({
    stream: true,
    model: 'gpt-4.1',
    messages: [{ role: 'user', content: 'Hi é 😀' }],
    max_tokens: 100,
    temperature: 0,
  })
  const canonical = canonicalRequest('chat', body)
  assert.equal(
    canonical,
    '{"max_tokens": 100, "messages": [{"content": "Hi \\u00e9 \\ud83d\\ude00", "role": "user"}], "model": "gpt-4.1", "temperature": 0.0}',
  )
  const requestHash = teeRequestHash(canonical)
  assert.equal(requestHash, '0xbb870e699fa2d83eeac3d794f33fecac4d379fb210dc3020ccdda893a988ab8e')
  const outputHash = teeOutputHash({ text: 'Hello' })
  assert.equal(outputHash, '0x06b3dfaec148fb1bb2b066f10ec285e7c9bf402ab32aa78a5d38e34566810cd2')
  assert.equal(
    bytesToHex(teeMessage({ requestHash, outputHash, timestamp: TIMESTAMP })),
    '0xeda70c6ee4fb688e5bec3bb7f3c357221a90f59c46fca6749c9cb2a4cb186bb8',
  )
})

test('each role has its shape, and what is outside the hash changes nothing', () => {
  const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }
  const messages = [
    { role: 'developer', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'See' },
        { type: 'image_url', image_url: { url: 'data:x' } },
      ],
    },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', content: 'sunny', tool_call_id: 'c1' },
  ]
  const canonical = canonicalRequest(
    'chat',
    bytes({ model: 'm', messages, stop: [], tools: [], top_p: 0.5, n: 1 }),
  )
  assert.deepEqual(JSON.parse(canonical), {
    model: 'm',
    temperature: 0,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'See' }, { type: 'image_url' }] },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: 'sunny', tool_call_id: 'c1' },
    ],
  })
  assert.equal(
    canonicalRequest(
      'completions',
      bytes({ model: 'm', prompt: 'Once', stop: 'x', temperature: 1, seed: 1 }),
    ),
    '{"model": "m", "prompt": "Once", "stop": "x", "temperature": 1.0}',
  )
})

test('an answer of function calls is hashed as Python writes them', () => {
  const calls = [{ id: 'c1', name: 'wétter', arguments: '{"city":"Paris"}' }]
  const text =
    '[{"function": {"arguments": "{\\"city\\":\\"Paris\\"}", "name": "w\\u00e9tter"}, "id": "c1", "type": "function"}]'
  assert.equal(teeOutputHash({ calls }), teeOutputHash({ text }))
})

test('a signature holds for its own statement and key alone', async () => {
  const keys = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { publicKey, privateKey } = keys()
  const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const unsigned = {
    teeId: teeIdOf(der),
    requestHash: teeRequestHash('{}'),
    outputHash: teeOutputHash({ text: 'Hello' }),
    timestamp: TIMESTAMP,
  }
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const signature = new Uint8Array(sign('sha256', teeMessage(unsigned), { key: privateKey, ...padding }))
  const statement: TeeStatement = { ...unsigned, signature }
  assert.deepEqual(readTeeFields(teeFields(statement)), statement)
  assert.equal(await teeSignatureHolds(statement, der), true)
  assert.equal(await teeSignatureHolds({ ...statement, timestamp: TIMESTAMP + 1 }, der), false)
  assert.equal(await teeSignatureHolds({ ...statement, outputHash: statement.requestHash }, der), false)
  const other = new Uint8Array(keys().publicKey.export({ type: 'spki', format: 'der' }))
  assert.equal(await teeSignatureHolds({ ...statement, teeId: teeIdOf(other) }, other), false)
  assert.equal(await teeSignatureHolds(statement, other), false)
})

test('fields that are no statement are none', () => {
  const good = teeFields({
    teeId: `0x${'11'.repeat(32)}`,
    requestHash: `0x${'22'.repeat(32)}`,
    outputHash: `0x${'33'.repeat(32)}`,
    timestamp: TIMESTAMP,
    signature: new Uint8Array(256),
  })
  assert.notEqual(readTeeFields(good), undefined)
  const wrong = [
    { tee_id: undefined },
    { tee_id: '11'.repeat(33) },
    { tee_request_hash: `0x${'22'.repeat(32)}` },
    { tee_output_hash: 'zz' },
    { tee_timestamp: '1750000000' },
    { tee_timestamp: -1 },
    { tee_signature: '!' },
    { tee_signature: 5 },
  ]
  for (const change of wrong) assert.equal(readTeeFields({ ...good, ...change }), undefined)
  assert.equal(readTeeFields(null), undefined)
})

const word = (text: string): Hex => `0x${createHash('sha256').update(text).digest('hex')}`
/** As the vectors describe it. */
const statementOf = (index: number): TeeStatement => ({
  teeId: word(`tee ${index % 2}`),
  requestHash: word(`in ${index}`),
  outputHash: word(`out ${index}`),
  signature: hexToBytes(
    `0x${[0, 1, 2, 3, 4, 5, 6, 7].map((k) => word(`sig ${index} ${k}`).slice(2)).join('')}`,
  ),
  timestamp: TIMESTAMP + index,
})

test('trees are those of @openzeppelin/merkle-tree, in whatever order their leaves come', () => {
  const { trees } = JSON.parse(
    readFileSync(join(import.meta.dirname, 'standardMerkleTree.json'), 'utf8'),
  ) as {
    trees: { count: number; root: Hex; lastProof: Hex[] }[]
  }
  for (const { count, root, lastProof } of trees) {
    const statements = [...Array(count).keys()].map(statementOf)
    assert.equal(settlementTree(statements).root, root)
    const tree = settlementTree(statements.toReversed())
    assert.equal(tree.root, root)
    assert.deepEqual(tree.proofOf(statementOf(count - 1)), lastProof)
  }
})

test('every statement of a tree is proven, and none of another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
      const statements = [...Array(count).keys()].map(statementOf)
      const { root, proofOf } = settlementTree(statements)
      for (const statement of statements) {
        assert.ok(isSettled(root, statement, proofOf(statement)))
        assert.ok(!isSettled(root, { ...statement, timestamp: 0 }, proofOf(statement)))
      }
      assert.throws(() => proofOf(statementOf(count)))
    }),
    { numRuns: 20 },
  )
})
