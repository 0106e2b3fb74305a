/** Vectors of what is hashed of an HTTP exchange: requestHash, responseHash, requestId. */
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, toHex } from 'viem'
import {
  listedHeaders,
  requestHash,
  requestIdOf,
  responseHash,
  stripSseComments,
  toBase64,
} from '../../src/index.ts'
import { escrow, payer, request, response, stream, utf8, type Vector, word } from './world.ts'

export function requestHashes(): Vector[] {
  const heads: [string, string][][] = [
    [],
    [
      ['Host', 'example'],
      ['Content-Type', 'application/json'],
      ['assay-request-auth', 'not listed'],
    ],
    [
      ['X-Assay-Verification', ' auto\t'],
      ['x-assay-value-at-risk', '5'],
      ['Anthropic-Version', '2023-06-01'],
    ],
    [
      ['anthropic-beta', 'one'],
      ['x-assay-a', '1'],
      ['x-assay-a-b', '2'],
      ['Anthropic-Beta', ' two '],
      ['x-assay-ab', ''],
    ],
    [
      ['x-assay-note', 'a  b : c'],
      ['x-assay-', 'empty name'],
      ['x-assay', 'not listed'],
    ],
  ]
  return heads.map((head, at) => {
    const body = [utf8(''), request.body, utf8('{}'), Uint8Array.of(0, 255, 10), utf8('\u{1f600}')][
      at
    ] as Uint8Array
    const method = at === 0 ? 'GET' : 'POST'
    const path = ['/v1/models', request.path, '/v1/messages', '/v1/infer?', '/v1/é'][at] as string
    const listed = listedHeaders(head)
    return {
      method,
      path,
      headers: head.map((line) => [...line]),
      body: toBase64(body),
      listedHeaders: listed,
      requestHash: requestHash({ method, path, headers: listed, body }),
    }
  })
}

export function responseHashes(): Vector[] {
  const bodies: [number, string, string][] = [
    [200, 'application/json', '{}'],
    [200, 'application/json; charset=utf-8', new TextDecoder().decode(response.body)],
    [200, 'text/event-stream', stream],
    [200, 'text/event-stream', ':\n:\ndata: a\n\n'],
    [500, '', ''],
    [599, 'text/plain', ': not a stream, so this line stays\n'],
  ]
  return bodies.map(([status, contentType, text]) => {
    const body = utf8(text)
    const hashed = contentType === 'text/event-stream' ? stripSseComments(body) : body
    return {
      status,
      contentType,
      body: toBase64(body),
      hashedBody: toBase64(hashed),
      responseHash: responseHash({ status, contentType, body: hashed }),
    }
  })
}

export function requestIds(): Vector[] {
  const grant = encodeAbiParameters(parseAbiParameters('bytes32, uint256'), [word('grant'), 7n])
  const cases: { scheme: number; paymentNonce: Hex; source: Vector }[] = [
    { scheme: 1, paymentNonce: word('nonce 0'), source: { authorizationNonce: word('nonce 0') } },
    {
      scheme: 2,
      paymentNonce: toHex(123456789012345678901234567890n, { size: 32 }),
      source: { permitNonce: '123456789012345678901234567890' },
    },
    { scheme: 3, paymentNonce: keccak256(grant), source: { grantId: word('grant'), counter: '7' } },
  ]
  return cases.flatMap(({ source, ...one }) =>
    [1, 8453, 31337].map((chainId) => ({
      chainId: String(chainId),
      escrow,
      payer,
      ...one,
      source,
      requestId: requestIdOf({ chainId, escrow, payer, ...one }),
    })),
  )
}
