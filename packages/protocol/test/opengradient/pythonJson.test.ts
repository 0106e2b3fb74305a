/** `json.loads` and `json.dumps(…, sort_keys=True)` of CPython, asked of CPython itself where there is one. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalRequest, readPythonJson, writePythonJson } from '../../src/opengradient/index.ts'

const again = (text: string): string => writePythonJson(readPythonJson(text))

test('numbers are written as Python reads and prints them', () => {
  const cases: [string, string][] = [
    ['0', '0'],
    ['-0', '0'],
    ['0.0', '0.0'],
    ['-0.0', '-0.0'],
    ['1E0', '1.0'],
    ['0.0000001', '1e-07'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['1e15', '1000000000000000.0'],
    ['1e16', '1e+16'],
    ['123456789012345678', '123456789012345678'],
    ['123456789012345678.0', '1.2345678901234568e+17'],
    ['12345678901234567890123', '12345678901234567890123'],
    ['5e-324', '5e-324'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['1e400', 'Infinity'],
    ['0.7', '0.7'],
    ['100.25', '100.25'],
  ]
  for (const [given, expected] of cases) assert.equal(again(given), expected, given)
})

test('names are sorted by code point and texts are ASCII', () => {
  // U+1F600 is above U+FFFD, though its first UTF-16 unit is below.
  assert.equal(
    again('{"😀": 1, "\ufffd": 2, "a": 3, "A": 4}'),
    '{"A": 4, "a": 3, "\\ufffd": 2, "\\ud83d\\ude00": 1}',
  )
  assert.equal(
    again('"\\u007f\\u0000/\\"\\\\\\b\\f\\n\\r\\t é"'),
    '"\\u007f\\u0000/\\"\\\\\\b\\f\\n\\r\\t \\u00e9"',
  )
  assert.equal(again('{"a": 1, "a": 2, "__proto__": {"x": null}}'), '{"__proto__": {"x": null}, "a": 2}')
})

test('what Python would not read, or only Python, is malformed', () => {
  for (const text of [
    '',
    '{',
    'NaN',
    '01',
    '"\u0000"',
    '1'.repeat(4301),
    `${'['.repeat(600)}${']'.repeat(600)}`,
  ]) {
    assert.throws(() => again(text), { code: 'malformed' }, text.slice(0, 20))
  }
})

const number = fc.oneof(
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => {
    const text = Object.is(value, -0) ? '-0.0' : String(value)
    return /[.e]/.test(text) ? text : `${text}.0`
  }),
  fc
    .tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -330, max: 320 }))
    .map(([m, e]) => `${m}e${e}`),
  fc.tuple(fc.nat(), fc.stringMatching(/^[0-9]{1,25}$/)).map(([whole, part]) => `${whole}.${part}`),
)
/** A text with each unit as it is or escaped; lone surrogates only escaped, since no UTF-8 holds them. */
const text = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 3 }),
        fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      ),
      fc.boolean(),
    ),
    { maxLength: 6 },
  )
  .map((parts) =>
    parts
      .map(([part, escaped]) =>
        escaped || !part.isWellFormed()
          ? [...Array(part.length).keys()]
              .map((at) => `\\u${part.charCodeAt(at).toString(16).padStart(4, '0')}`)
              .join('')
          : JSON.stringify(part).slice(1, -1),
      )
      .join(''),
  )
  .map((inside) => `"${inside}"`)
const { document } = fc.letrec<{ document: string }>((tie) => ({
  document: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(number, text, fc.constantFrom('null', 'true', 'false')),
    fc.array(tie('document'), { maxLength: 5 }).map((entries) => `[${entries.join(' ,')}]`),
    fc
      .array(fc.tuple(text, tie('document')), { maxLength: 5 })
      .map((members) => `{${members.map(([name, value]) => `${name}:\t${value}`).join(',')}}`),
  ),
}))

const PEER =
  'import json, sys\nfor t in json.load(sys.stdin): print(json.dumps(json.loads(t), sort_keys=True))'
const hasPython = spawnSync('python3', ['-c', 'import json']).status === 0
const skip = hasPython ? false : 'there is no python3 here'

function askPython(texts: readonly string[]): string[] {
  const peer = spawnSync('python3', ['-c', PEER], {
    input: JSON.stringify(texts),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  assert.equal(peer.status, 0, peer.stderr)
  return peer.stdout.trimEnd().split('\n')
}

test('3,000 generated documents come out as CPython writes them', { skip }, () => {
  const seed = Number(process.env.ASSAY_SEED ?? Date.now() % 2 ** 31)
  const texts = fc.sample(document, { numRuns: 3000, seed })
  const theirs = askPython(texts)
  assert.equal(theirs.length, texts.length)
  for (const [at, given] of texts.entries()) assert.equal(again(given), theirs[at], `seed ${seed}: ${given}`)
})

test('a canonical request is what CPython makes of the same members', { skip }, () => {
  const schema = fc
    .tuple(text, document)
    .map(([name, value]) => `{"type":"object","properties":{${name}:${value}}}`)
  const request = fc.record({ content: text, tool: schema, temperature: number, maxTokens: fc.nat(9999) })
  const asked = fc.sample(request, 300)
  const finite = asked.filter(({ temperature }) => Number.isFinite(Number(temperature)))
  const expected = askPython(
    finite.map(
      ({ content, tool, temperature, maxTokens }) =>
        `{"model":"m","max_tokens":${maxTokens},"messages":[{"role":"user","content":${content}}],` +
        // Python's float(…) of whatever number was given.
        `"temperature":${/[.e]/.test(temperature) ? temperature : `${Number(temperature)}`.includes('e') ? Number(temperature) : `${temperature}.0`},` +
        `"tools":[{"type":"function","function":{"name":"f","parameters":${tool}}}]}`,
    ),
  )
  for (const [at, { content, tool, temperature, maxTokens }] of finite.entries()) {
    const body =
      `{"seed":7,"temperature":${temperature},"tools":[{"function":{"parameters":${tool},"name":"f"},"type":"function"}],` +
      `"messages":[{"content":${content},"name":"x","role":"user"}],"max_tokens":${maxTokens},"model":"m","stop":[]}`
    assert.equal(canonicalRequest('chat', new TextEncoder().encode(body)), expected[at])
  }
})
