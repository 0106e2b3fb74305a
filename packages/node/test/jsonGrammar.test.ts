/** Schemas become grammars that llama.cpp takes, whose texts are valid, and whose cost is bounded. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { collectAnswer, textOf } from '../src/dialects/answer.ts'
import type { Engine } from '../src/engines/engine.ts'
import { SchemaRefused } from '../src/engines/llama/grammarParts.ts'
import { createJsonGrammar } from '../src/engines/llama/jsonGrammar.ts'
import { startLlamaEngine } from '../src/engines/llama/startLlamaEngine.ts'
import { SMOLLM2_MANIFEST } from '../src/models/smollm2.ts'
import { smollm2 } from './realModel.ts'

type Schema = Record<string, unknown>
const compile = (schema: Schema, strict = true) => createJsonGrammar().schema(schema, 's', strict)
const grammarOf = (schema: Schema): string => {
  const grammar = createJsonGrammar()
  return grammar.text(grammar.schema(schema, 's', true).ref)
}
const refusedAt = (schema: Schema, strict = true): string => {
  try {
    compile(schema, strict)
    return 'taken'
  } catch (error) {
    assert.ok(error instanceof SchemaRefused, String(error))
    return error.place
  }
}

test('what a grammar cannot hold to is refused by its place, and is advice where the schema is', () => {
  const cases: [Schema, place: string, asAdvice: string][] = [
    [{ type: 'string', pattern: 'x' }, 's.pattern', 'taken'],
    [{ type: 'string', format: 'email' }, 's.format', 'taken'],
    [
      { type: 'object', properties: { a: { type: 'integer', minimum: 1 } } },
      's.properties.a.minimum',
      'taken',
    ],
    [{ type: 'array', items: { oneOf: [{ type: 'string' }] } }, 's.items.oneOf', 'taken'],
    [{ type: 'array', maxItems: 300 }, 's.maxItems', 'taken'],
    [{ type: 'string', minLength: -1 }, 's.minLength', 's.minLength'],
    [{ type: 'string', minLength: 5, maxLength: 4 }, 's.maxLength', 's.maxLength'],
    [{ type: 'text' }, 's.type', 's.type'],
    [{ enum: [] }, 's.enum', 's.enum'],
    [{ anyOf: 5 }, 's.anyOf', 's.anyOf'],
    [{ properties: [] }, 's.properties', 's.properties'],
    [{ $ref: '#/$defs/none' }, 's.$ref', 's.$ref'],
    [{ $ref: 'https://example.org/schema' }, 's.$ref', 's.$ref'],
    [{ $ref: '#' }, 's.$ref', 's.$ref'],
    [{ anyOf: [{ type: 'null' }, { $ref: '#' }] }, 's.anyOf[1].anyOf[1].$ref', 's.anyOf[1].anyOf[1].$ref'],
    [{ type: 'object', properties: { a: 5 } }, 's.properties.a', 's.properties.a'],
    [{ enum: ['a'], minLength: 2 }, 's.minLength', 'taken'],
    [{ type: 'integer', enum: [1, 2], minimum: 2 }, 's.minimum', 'taken'],
    [{ type: 'object', enum: [{}], required: ['a'] }, 's.required', 'taken'],
    [{ const: 'a', enum: ['b'] }, 's.enum', 'taken'],
    [{ properties: { a: {} }, required: ['a', 'b'], additionalProperties: false }, 's.required', 'taken'],
    [
      { properties: { a: {} }, required: ['b'], additionalProperties: { type: 'string', pattern: 'x' } },
      's.additionalProperties.pattern',
      'taken',
    ],
  ]
  for (const [schema, place, asAdvice] of cases) {
    assert.equal(refusedAt(schema), place, JSON.stringify(schema))
    assert.equal(refusedAt(schema, false), asAdvice, JSON.stringify(schema))
  }
  assert.equal(
    refusedAt({ type: 'integer', minimum: -(2 ** 53) + 1, maximum: 2 ** 53 - 1, title: 'n' }),
    'taken',
  )
})

test('`type` beside other words holds as well, and a schema of which it leaves nothing is refused by its place', () => {
  const cases: [Schema, place: string][] = [
    [{ type: 'string', enum: [1, 2] }, 's.enum'],
    [{ type: ['string', 'null'], enum: [1, false, [], {}] }, 's.enum'],
    [{ type: 'integer', enum: [1.5, '1', true] }, 's.enum'],
    [{ type: 'object', enum: [null, []] }, 's.enum'],
    [{ type: 'number', const: '1' }, 's.const'],
    [{ type: 'integer', const: 0.5 }, 's.const'],
    [{ type: 'string', const: null }, 's.const'],
    [{ type: 'text', enum: ['a'] }, 's.type'],
    [{ type: [], const: 'a' }, 's.type'],
    [{ type: 'text', anyOf: [true] }, 's.type'],
    [{ type: 'string', anyOf: [{ type: 'integer' }, { enum: [1] }, { const: null }] }, 's.anyOf'],
    [{ type: 'string', anyOf: [{ type: 'string', enum: [1] }] }, 's.anyOf[0].enum'],
    [{ $defs: { a: { enum: [1] } }, type: 'string', anyOf: [{ $ref: '#/$defs/a' }] }, 's.anyOf'],
    [{ $defs: { a: { type: 'integer' } }, type: 'string', $ref: '#/$defs/a' }, 's.$ref'],
    [{ type: 'string', anyOf: [{ $ref: '#' }] }, 's.anyOf[0].anyOf[0].$ref'],
    [{ type: 'string', anyOf: [{ $ref: '#/$defs/none' }] }, 's.anyOf[0].$ref'],
    [
      { type: 'string', $defs: { a: { $ref: '#/$defs/a' } }, anyOf: [{ $ref: '#/$defs/a' }] },
      's.anyOf[0].$ref',
    ],
    [
      { properties: { a: { type: 'array', items: { type: 'null', enum: ['x'] } } } },
      's.properties.a.items.enum',
    ],
  ]
  for (const [schema, place] of cases) {
    assert.equal(refusedAt(schema), place, JSON.stringify(schema))
    assert.equal(refusedAt(schema, false), place, JSON.stringify(schema))
  }
  const alike: [Schema, Schema][] = [
    [{ type: 'string', enum: [1, 'a', null, 'b'] }, { enum: ['a', 'b'] }],
    [{ type: ['null', 'integer'], enum: [1.0, 1.5, 'a', null] }, { enum: [1, null] }],
    [{ type: 'number', enum: [1, 1.5, '1'] }, { enum: [1, 1.5] }],
    [{ type: 'integer', const: 1e300 }, { const: 1e300 }],
    [{ type: 'array', enum: [[], {}, null] }, { const: [] }],
    [
      { type: ['string', 'integer'], anyOf: [{ type: 'number' }, { type: 'null' }, { enum: ['a', 1, 2.5] }] },
      { anyOf: [{ type: 'integer' }, { enum: ['a', 1] }] },
    ],
    [{ type: 'number', anyOf: [{ type: ['integer', 'null'] }] }, { anyOf: [{ type: 'integer' }] }],
    [{ type: 'null', anyOf: [true, {}] }, { anyOf: [{ type: 'null' }, { type: 'null' }] }],
    [
      { type: 'null', anyOf: [{ anyOf: [{ type: 'null' }, { type: 'string' }] }, { type: 'object' }] },
      { anyOf: [{ anyOf: [{ type: 'null' }] }] },
    ],
    [
      {
        $defs: { a: { enum: ['a', 1] }, b: { $ref: '#/$defs/a' } },
        type: 'string',
        anyOf: [{ $ref: '#/$defs/b' }],
      },
      { $defs: { a: { enum: ['a'] }, b: { $ref: '#/$defs/a' } }, anyOf: [{ $ref: '#/$defs/b' }] },
    ],
    [
      { properties: { a: {} }, required: ['a', 'b'], additionalProperties: { type: 'null' } },
      { properties: { a: {}, b: { type: 'null' } }, required: ['a', 'b'] },
    ],
  ]
  for (const [schema, other] of alike)
    assert.equal(grammarOf(schema), grammarOf(other), JSON.stringify(schema))
  // One schema by two ways, of which only one is narrow.
  const both = {
    $defs: { a: { type: ['string', 'null'] } },
    anyOf: [{ $ref: '#/$defs/a' }, { type: 'array', items: { type: 'string', $ref: '#/$defs/a' } }],
  }
  assert.match(grammarOf(both), /\("," sp ref-\d+\)/)
  assert.match(grammarOf(both), /^ref-\d+ ::= any-\d+$/m)
  assert.match(grammarOf(both), /^ref-\d+ ::= string$/m)
})

test('of any values those are left that are of a type that is named', () => {
  const isOf: Record<string, (value: unknown) => boolean> = {
    object: (value) => Object.prototype.toString.call(value) === '[object Object]',
    array: (value) => Array.isArray(value),
    string: (value) => typeof value === 'string',
    number: (value) => typeof value === 'number',
    integer: (value) => typeof value === 'number' && value % 1 === 0,
    boolean: (value) => value === true || value === false,
    null: (value) => value === null,
  }
  const values = fc.array(fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.integer({ min: -3, max: 3 })), {
    minLength: 1,
    maxLength: 6,
  })
  const types = fc.subarray(Object.keys(isOf), { minLength: 1 })
  fc.assert(
    fc.property(values, types, (members, type) => {
      const left = members.filter((value) => type.some((name) => isOf[name]?.(value)))
      const beside = { type, enum: members }
      const around = { type, anyOf: [{ enum: members }] }
      if (left.length === 0)
        assert.deepEqual(
          [beside, around].map((one) => refusedAt(one)),
          ['s.enum', 's.anyOf'],
        )
      else {
        assert.equal(grammarOf(beside), grammarOf({ enum: left }))
        assert.equal(grammarOf(around), grammarOf({ anyOf: [{ enum: left }] }))
      }
    }),
    { numRuns: 500 },
  )
})

test('alternatives that begin alike are bounded, for each costs a walk of the vocabulary', () => {
  const strings = (count: number) => Array.from({ length: count }, () => ({ type: 'string' }))
  assert.equal(compile({ anyOf: strings(24) }).readings, 24)
  assert.equal(refusedAt({ anyOf: strings(25) }), 's.anyOf')
  assert.equal(refusedAt({ anyOf: strings(25) }, false), 'taken')
  const nest = (depth: number): Schema =>
    depth === 0 ? { type: 'string' } : { anyOf: [nest(depth - 1), { type: 'array', items: nest(depth - 1) }] }
  assert.ok(compile(nest(4)).readings < 24, 'those that begin apart are not counted together')
  const twice = (depth: number): Schema =>
    depth === 0
      ? {}
      : {
          anyOf: [
            { type: 'array', items: twice(depth - 1) },
            { type: 'array', items: twice(depth - 1) },
          ],
        }
  assert.match(refusedAt(twice(8)), /anyOf$/, 'doubled at every bracket')
  const itself = { type: 'array', items: { $ref: '#' } }
  assert.equal(refusedAt(itself), 'taken')
  assert.match(refusedAt({ anyOf: [itself, itself] }), /anyOf$/)
  // The linked list of OpenAI's guide: what contains itself begins otherwise than the end of it.
  const list = (end: Schema): Schema => ({
    $defs: {
      node: {
        type: 'object',
        properties: { value: { type: 'number' }, next: { anyOf: [{ $ref: '#/$defs/node' }, end] } },
        required: ['value', 'next'],
        additionalProperties: false,
      },
    },
    $ref: '#/$defs/node',
  })
  assert.equal(refusedAt(list({ type: 'null' })), 'taken')
  assert.match(refusedAt(list({ type: 'object', properties: {} })), /next\.anyOf$/)
  assert.match(refusedAt(list({})), /next\.anyOf$/)
  // Names of generic types, as generators of schemas write them into a fragment.
  assert.equal(
    refusedAt({ $defs: { 'Box<a b>': { type: 'null' } }, $ref: '#/$defs/Box%3Ca%20b%3E' }),
    'taken',
  )
  assert.equal(refusedAt({ $defs: { '100%': { type: 'null' } }, $ref: '#/$defs/100%' }), 'taken')
  // References that lead to references are followed once each.
  const knot = { anyOf: Array.from({ length: 64 }, () => ({ $ref: '#/$defs/knot' })) }
  const around = { anyOf: [{ type: 'array', items: { $ref: '#/$defs/top' } }, { $ref: '#/$defs/knot' }] }
  assert.notEqual(refusedAt({ $defs: { top: around, knot }, $ref: '#/$defs/top' }), 'taken')
  const states = ['Alabama', 'Alaska', 'Arizona', 'Arkansas']
  assert.equal(compile({ enum: states }).readings, 2, 'common beginnings are read once')
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`p${at}`, { type: 'integer' }]))
  assert.equal(compile({ type: 'object', properties: many }).readings, 1)
  const wide = { type: 'object', properties: many }
  const larger = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`o${at}`, wide]))
  assert.equal(refusedAt({ type: 'object', properties: larger }), 's', 'too large as a whole')
})

test('no JSON whatever makes it throw anything but a refusal', () => {
  const keyword = fc.constantFrom(
    ...[
      'type',
      'properties',
      'required',
      'items',
      'anyOf',
      'enum',
      'const',
      '$ref',
      '$defs',
      'minItems',
      'maxLength',
    ],
  )
  fc.assert(
    fc.property(
      fc.dictionary(keyword, fc.jsonValue()),
      fc.boolean(),
      (schema, strict) => void refusedAt(schema, strict),
    ),
    { numRuns: 1000 },
  )
})

/** Schemas of what the grammar understands. */
const { schema: schemas } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Schema>({ type: 'integer' }, { type: 'boolean' }, { type: 'null' }, { type: 'number' }),
    fc.record({ type: fc.constant('string'), maxLength: fc.nat(6) }),
    fc
      .array(fc.oneof(fc.string({ maxLength: 4 }), fc.integer(), fc.constant(null)), {
        minLength: 1,
        maxLength: 4,
      })
      .map((values) => ({ enum: values })),
    fc.record({ type: fc.constant('array'), items: tie('schema'), maxItems: fc.nat(2) }),
    fc.array(tie('schema'), { minLength: 1, maxLength: 2 }).map((anyOf) => ({ anyOf })),
    fc
      .tuple(fc.dictionary(fc.string({ maxLength: 4 }), tie('schema'), { maxKeys: 3 }), fc.nat(3))
      .map(([properties, count]) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).slice(0, count),
        additionalProperties: false,
      })),
  ),
}))

/** JSON Schema, as far as those above use it. */
function isValid(schema: Schema, value: unknown): boolean {
  if (schema.enum !== undefined) return (schema.enum as unknown[]).some((entry) => entry === value)
  if (schema.anyOf !== undefined) return (schema.anyOf as Schema[]).some((branch) => isValid(branch, value))
  switch (schema.type) {
    case 'null':
      return value === null
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value)
    case 'array':
      return (
        Array.isArray(value) &&
        value.length <= (schema.maxItems as number) &&
        value.every((entry) => isValid(schema.items as Schema, entry))
      )
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
      const properties = schema.properties as Record<string, Schema>
      return (
        (schema.required as string[]).every((name) => Object.hasOwn(value, name)) &&
        Object.entries(value).every(
          ([name, entry]) => Object.hasOwn(properties, name) && isValid(properties[name] as Schema, entry),
        )
      )
    }
    case 'string':
      return typeof value === 'string' && [...value].length <= (schema.maxLength as number) * 2
    default:
      return typeof value === schema.type
  }
}

describe('with the real model', { skip: smollm2.skip }, () => {
  let engine: Engine
  before(async () => {
    engine = await startLlamaEngine({ path: smollm2.path, manifest: SMOLLM2_MANIFEST })
  })
  after(() => engine?.close())

  test('whatever the schema, a finished answer follows it', async () => {
    let finished = 0
    await fc.assert(
      fc.asyncProperty(schemas, fc.nat(1000), async (schema, seed) => {
        const prepared = engine.prepare({
          kind: 'chat',
          messages: [{ role: 'user', content: [{ type: 'text', text: 'JSON' }] }],
          tools: [],
          toolChoice: 'auto',
          parallelTools: true,
          format: { type: 'json_schema', name: 'x', schema, strict: true, place: 's' },
          settings: { sampling: { temperature: 1.5, seed }, maxTokens: 24, stop: [], choices: 1 },
        })
        if (!('run' in prepared)) return
        const { add, answer } = collectAnswer()
        await prepared.run({ signal: new AbortController().signal, emit: add })
        const choice = answer.choices[0] ?? assert.fail()
        if (choice.finish !== 'stop') return
        finished++
        const text = textOf(choice)
        assert.ok(isValid(schema, JSON.parse(text)), `${JSON.stringify(schema)} gave ${text}`)
      }),
      { numRuns: 12, endOnFailure: true },
    )
    assert.ok(finished > 0, 'some answers are short enough to finish')
  })
})
