/** docs/spec.md §1 and §2. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, keccak256, parseAbiParameters } from 'viem'
import {
  compareBytes,
  concatBytes,
  listedHeaders,
  requestHash,
  responseHash,
  stripSseComments,
  TAGS,
} from '../src/index.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('listed headers: only anthropic- and x-assay-, lower case, trimmed of spaces and tabs, sorted', () => {
  const headers = {
    Host: 'here',
    'X-Assay-Verification': ' \tauto ',
    'Anthropic-Version': '2023-06-01',
    authorization: 'Bearer x',
    'x-assay': 'no dash, not listed',
    'assay-request-auth': 'not listed',
    'anthropic-beta': ['one', ' two '],
    'x-assay-absent': undefined,
  }
  const expected = ['anthropic-beta:one, two', 'anthropic-version:2023-06-01', 'x-assay-verification:auto']
  assert.deepEqual(listedHeaders(headers), expected)
  const entries: [string, string][] = [
    ['x-assay-verification', 'auto'],
    ['anthropic-beta', 'one'],
    ['anthropic-version', '2023-06-01'],
    ['Anthropic-Beta', 'two'],
  ]
  assert.deepEqual(listedHeaders(entries), expected)
  assert.deepEqual(listedHeaders(new Headers(entries)), expected)
})

test('listed headers sort as UTF-8 bytes: a dash before a colon, a colon before letters', () => {
  const lines = listedHeaders({ 'x-assay-a': '1', 'x-assay-a-b': '2', 'x-assay-ab': '3' })
  assert.deepEqual(lines, ['x-assay-a-b:2', 'x-assay-a:1', 'x-assay-ab:3'])
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z0-9-]{1,8}$/), fc.string()), (values) => {
      const headers = Object.fromEntries(
        Object.entries(values).map(([name, value]) => [`x-assay-${name}`, value]),
      )
      const lines = listedHeaders(headers)
      assert.deepEqual(
        lines,
        [...lines].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      )
      assert.equal(lines.length, Object.keys(headers).length)
    }),
  )
})

test('requests and responses hash to what a general encoder makes of them', () => {
  const strings = fc.string({ unit: 'binary', maxLength: 80 }).map((value) => value.toWellFormed())
  fc.assert(
    fc.property(
      strings,
      strings,
      fc.array(strings, { maxLength: 4 }),
      fc.uint8Array(),
      (method, path, headers, body) => {
        const types = parseAbiParameters('bytes32, string, string, string[], bytes32')
        const values = [TAGS.request, method, path, headers, keccak256(body)] as const
        assert.equal(
          requestHash({ method, path, headers, body }),
          keccak256(encodeAbiParameters(types, values)),
        )
      },
    ),
  )
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65535 }), strings, fc.uint8Array(), (status, contentType, body) => {
      const types = parseAbiParameters('bytes32, uint16, string, bytes32')
      const values = [TAGS.response, status, contentType, keccak256(body)] as const
      const hash = keccak256(encodeAbiParameters(types, values))
      assert.equal(responseHash({ status, contentType, body }), hash)
    }),
  )
})

test('every part of a request enters its hash', () => {
  const request = { method: 'POST', path: '/v1/x?y=1', headers: ['x-assay-a:1'], body: utf8('{}') }
  const hashes = [
    request,
    { ...request, method: 'PUT' },
    { ...request, path: '/v1/x' },
    { ...request, headers: [] },
    { ...request, headers: ['x-assay-a:2'] },
    { ...request, headers: ['x-assay-a', '1'] },
    { ...request, body: utf8('{ }') },
    { ...request, body: utf8('') },
    // The border between two neighbours is part of the hash.
    { ...request, method: 'POST/', path: 'v1/x?y=1' },
  ].map(requestHash)
  assert.equal(new Set(hashes).size, hashes.length)
})

test('every part of a response enters its hash', () => {
  const response = { status: 200, contentType: 'application/json', body: utf8('{}') }
  const hashes = [
    response,
    { ...response, status: 201 },
    { ...response, contentType: 'text/event-stream' },
    { ...response, body: utf8('') },
  ].map(responseHash)
  assert.equal(new Set(hashes).size, hashes.length)
})

test('comment lines of a stream go together with their line feed; all other bytes stay', () => {
  const cases: [string, string][] = [
    ['', ''],
    [': assay-receipt abc\ndata: [DONE]\n\n', 'data: [DONE]\n\n'],
    ['data: a\n\n: x\n\ndata: b\n\n', 'data: a\n\n\ndata: b\n\n'],
    ['data: ": no comment"\n\n', 'data: ": no comment"\n\n'],
    [' : a space first\n', ' : a space first\n'],
    ['data: a\n:', 'data: a\n'],
    [':\n:\n:', ''],
    ['data: a\r\n: b\r\n', 'data: a\r\n'],
  ]
  for (const [stream, kept] of cases) assert.equal(text(stripSseComments(utf8(stream))), kept)
})

test('stripping equals filtering the lines, and stripping twice changes nothing', () => {
  const line = fc.oneof(
    fc.constant(''),
    fc.string().map((value) => value.replaceAll('\n', '')),
    fc.string().map((value) => `:${value.replaceAll('\n', '')}`),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const stream = lines.map((value) => `${value}\n`).join('')
      const expected = lines
        .filter((value) => !value.startsWith(':'))
        .map((value) => `${value}\n`)
        .join('')
      const stripped = stripSseComments(Buffer.from(stream, 'utf8'))
      assert.deepEqual(Buffer.from(stripped), Buffer.from(expected, 'utf8'))
      assert.deepEqual(Buffer.from(stripSseComments(stripped)), Buffer.from(stripped))
    }),
  )
})

test('bytes compare and join as Node does', () => {
  const bytes = fc.uint8Array({ maxLength: 6, max: 3 })
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b))
      assert.deepEqual(Buffer.from(concatBytes([a, b])), Buffer.concat([a, b]))
    }),
  )
})
