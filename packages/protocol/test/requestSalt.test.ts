import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestSalt } from '../src/index.ts'

const plain = { sealed: false, apiKey: undefined, name: null }

test('a request has a salt where no signature names its id: random, or that of its name and key', () => {
  assert.equal(requestSalt(plain), undefined)
  const named = (name: string, apiKey?: string) => requestSalt({ ...plain, name, apiKey })
  const salts = [
    requestSalt({ ...plain, apiKey: 'k' }),
    requestSalt({ ...plain, apiKey: 'k' }),
    requestSalt({ ...plain, sealed: true }),
    named('a'),
    named('b'),
    named('a', 'k'),
    named('a', 'l'),
  ]
  for (const salt of salts) assert.match(salt ?? '', /^[0-9a-f]{32}$/)
  assert.equal(new Set(salts).size, salts.length)
  assert.equal(named('a', 'k'), named('a', 'k'))
})
