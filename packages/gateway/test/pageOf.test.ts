import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { RefusedError } from '../src/http/dialectError.ts'
import { type PageQuery, pageOf } from '../src/routes/pageOf.ts'

const ALL = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id }))

test('a list is given whole, or by the pages that are asked for, forwards and backwards', () => {
  const page = (query: PageQuery) => {
    const { data, has_more, first_id, last_id } = pageOf(ALL, query)
    assert.deepEqual([first_id, last_id], [data[0]?.id ?? null, data.at(-1)?.id ?? null])
    return [data.map(({ id }) => id).join(''), has_more]
  }
  assert.deepEqual(page({}), ['abcde', false])
  assert.deepEqual(page({ limit: '2' }), ['ab', true])
  assert.deepEqual(page({ limit: '2', after_id: 'b' }), ['cd', true])
  assert.deepEqual(page({ limit: '2', after_id: 'c' }), ['de', false])
  assert.deepEqual(page({ after_id: 'e' }), ['', false])
  assert.deepEqual(page({ limit: '2', before_id: 'd' }), ['bc', true])
  assert.deepEqual(page({ limit: '3', before_id: 'd' }), ['abc', false])
  assert.deepEqual(page({ before_id: 'c' }), ['ab', false])
})

test('what asks for no page is refused by its name', () => {
  const refusals: [PageQuery, string][] = [
    [{ limit: '0' }, 'limit'],
    [{ limit: '1001' }, 'limit'],
    [{ limit: 'two' }, 'limit'],
    [{ limit: ['1', '2'] }, 'limit'],
    [{ after_id: 'z' }, 'after_id'],
    [{ before_id: ['a'] }, 'before_id'],
    [{ after_id: 'a', before_id: 'c' }, 'before_id'],
  ]
  for (const [query, param] of refusals) {
    assert.throws(
      () => pageOf(ALL, query),
      (error) =>
        error instanceof RefusedError && error.dialect.status === 400 && error.dialect.param === param,
    )
  }
})

test('the official client of Anthropic walks through all pages', async () => {
  const client = new Anthropic({
    apiKey: 'none',
    fetch: async (url) => Response.json(pageOf(ALL, Object.fromEntries(new URL(String(url)).searchParams))),
  })
  const seen: string[] = []
  for await (const { id } of client.models.list({ limit: 2 })) seen.push(id)
  assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'e'])
})
