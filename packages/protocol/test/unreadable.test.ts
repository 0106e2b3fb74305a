/** What is said of requests that no code of ours has seen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notHttp, rawRefusal, unreadable } from '../src/index.ts'

test('only what is the client’s fault is told as one', () => {
  const fault = (code: string, statusCode?: number) => unreadable({ code, statusCode }, 7)
  assert.equal(fault('FST_ERR_CTP_BODY_TOO_LARGE', 413)?.message, 'The body is larger than 7 bytes.')
  assert.equal(fault('FST_ERR_BAD_URL', 400)?.code, 'bad_request')
  assert.equal(fault('constructor', 400)?.message, 'The request could not be read.')
  for (const ours of [fault('ENOSPC'), fault('x', 500), fault('x', 302)]) assert.equal(ours, undefined)
})

test('an answer to no request is HTTP/1.1 to its last byte (RFC 9112 §4), whatever it says', () => {
  const [head = '', body = ''] = rawRefusal(notHttp({ code: 'toString', reason: 'Größe' }), 'req_1').split(
    '\r\n\r\n',
  )
  assert.deepEqual(head.split('\r\n'), [
    'HTTP/1.1 400 ',
    'content-type: application/json',
    'connection: close',
    'x-request-id: req_1',
    'request-id: req_1',
    `content-length: ${Buffer.byteLength(body)}`,
  ])
  assert.equal(JSON.parse(body).error.message, 'The request is not valid HTTP: Größe.')
})
