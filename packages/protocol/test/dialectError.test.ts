/** One error in the words of each dialect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DialectError, errorBody, errorEvent } from '../src/index.ts'

const busy: DialectError = { status: 429, message: 'm', type: 'rate_limit_error', code: 'busy' }

test('OpenAI names a code and a member', () => {
  for (const path of ['/', '/v1/chat/completions', '/v1/embeddings?x=1', '/v1/messagesx']) {
    assert.deepEqual(JSON.parse(errorBody(busy, path)), {
      error: { message: 'm', type: 'rate_limit_error', param: null, code: 'busy' },
    })
  }
  assert.equal(errorEvent(busy, '/v1/completions'), `data: ${errorBody(busy, '/')}\n\n`)
})

test('Anthropic types an error by its status, and keeps our code', () => {
  for (const [status, type] of [
    [400, 'invalid_request_error'],
    [402, 'billing_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [422, 'invalid_request_error'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
  ] as const) {
    const body = JSON.parse(errorBody({ ...busy, status, param: 'p' }, '/v1/messages?beta=true'))
    assert.deepEqual(body, {
      type: 'error',
      error: { type, message: 'm', code: 'busy', param: 'p', details: { error_code: 'busy' } },
    })
  }
  assert.equal(errorEvent(busy, '/v1/messages'), `event: error\ndata: ${errorBody(busy, '/v1/messages')}\n\n`)
})

test('responses tell of it in an event of their own', () => {
  assert.equal(
    errorEvent(busy, '/v1/responses'),
    'event: error\ndata: {"type":"error","code":"busy","message":"m","param":null}\n\n',
  )
})
