import assert from 'node:assert/strict'
import type { webcrypto } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, hexToBytes } from 'viem'
import {
  BinaryResponseReader,
  createOhttpKey,
  decodeBinaryRequest,
  encapsulateRequest,
  encodeBinaryRequest,
  encodeContentChunk,
  encodeResponseHead,
  type OhttpKey,
  openRequest,
  RESPONSE_END,
} from '../src/index.ts'
import { ResponseOpener, ResponseSealer } from '../src/ohttp/encapsulate.ts'
import { suite } from '../src/ohttp/keyConfig.ts'
import { responseKeys } from '../src/ohttp/responseKeys.ts'
import { readVarint, writeVarint } from '../src/ohttp/varint.ts'

const bytes = (hex: string): Uint8Array => hexToBytes(`0x${hex}`)
const hex = (value: ArrayBuffer | Uint8Array): string => bytesToHex(new Uint8Array(value)).slice(2)
const buffer = (text: string): ArrayBuffer => Uint8Array.from(bytes(text)).buffer
const privateKey = (text: string) => suite.kem.importKey('raw', buffer(text), false)
const publicKey = (text: string) => suite.kem.importKey('raw', buffer(text), true)

test('RFC 9180 A.1.1: DHKEM(X25519), HKDF-SHA256, AES-128-GCM, base mode', async () => {
  const info = buffer('4f6465206f6e2061204772656369616e2055726e')
  const ekm = {
    privateKey: await privateKey('52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736'),
    publicKey: await publicKey('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
  }
  const sender = await suite.createSenderContext({
    recipientPublicKey: await publicKey('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
    info,
    ekm: ekm as webcrypto.CryptoKeyPair,
  })
  assert.equal(hex(sender.enc), '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431')
  const recipient = await suite.createRecipientContext({
    recipientKey: await privateKey('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
    enc: sender.enc,
    info,
  })
  const plaintext = '4265617574792069732074727574682c20747275746820626561757479'
  // A.1.1.1, sequence numbers 0 and 1.
  const encryptions = [
    [
      '436f756e742d30',
      'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
    ],
    [
      '436f756e742d31',
      'af2d7e9ac9ae7e270f46ba1f975be53c09f8d875bdc8535458c2494e8a6eab251c03d0c22a56b8ca42c2063b84',
    ],
  ] as const
  for (const [aad, ciphertext] of encryptions) {
    assert.equal(hex(await sender.seal(buffer(plaintext), buffer(aad))), ciphertext)
    assert.equal(hex(await recipient.open(buffer(ciphertext), buffer(aad))), plaintext)
  }
  // A.1.1.2
  const exports = [
    ['', '3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee'],
    ['00', '2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5'],
    ['54657374436f6e74657874', 'e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931'],
  ] as const
  for (const [context, secret] of exports) {
    assert.equal(hex(await sender.export(buffer(context), 32)), secret)
    assert.equal(hex(await recipient.export(buffer(context), 32)), secret)
  }
})

/** Both appendices send `GET https://example.com/` and answer 200 without content. */
const REQUEST = '00034745540568747470730b6578616d706c652e636f6d012f'
const RESPONSE = '0140c8'

const VECTORS = [
  {
    name: 'RFC 9458 Appendix A',
    form: 'whole',
    skR: '3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a',
    config: '01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003',
    enc: '4b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472',
    body: '010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525',
    label: 'message/bhttp response',
    nonce: 'c789e7151fcba46158ca84b04464910d',
    answer: 'c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd',
  },
  {
    name: 'draft-ietf-ohai-chunked-ohttp Appendix A',
    form: 'chunked',
    skR: '1c190d72acdbe4dbc69e680503bb781a932c70a12c8f3754434c67d8640d8698',
    config: '010020668eb21aace159803974a4c67f08b4152d29bed10735fd08f98ccdd6fe09570800080001000100010003',
    enc: '8811eb457e100811c40a0aa71340a1b81d804bb986f736f2f566a7199761a032',
    body: '010020000100018811eb457e100811c40a0aa71340a1b81d804bb986f736f2f566a7199761a0321c2ad24942d4d692563012f2980c8fef437a336b9b2fc938ef77a5834f1d2e33d8fd25577afe31bd1c79d094f76b6250ae6549b473ecd950501311001c6c1395d0ef7c1022297966307b8a7f',
    label: 'message/bhttp chunked response',
    nonce: 'bcce7f4cb921309ba5d62edf1769ef09',
    answer:
      'bcce7f4cb921309ba5d62edf1769ef091179bf1cc87fa0e2c02de4546945aa3d1e4812b348b5bd4c594c16b6170b07b475845d1f3200ed9d8a796617a5b27265f4d73247f639',
  },
] as const

for (const { name, form, skR, config, enc, body, label, nonce, answer } of VECTORS) {
  test(`${name}: the request opens and the response is sealed to the byte`, async () => {
    const key: OhttpKey = { config: bytes(config), keyId: 1, privateKey: await privateKey(skR) }
    const opened = await openRequest(key, bytes(body), form)
    assert.equal(hex(opened.request), REQUEST)
    const request = decodeBinaryRequest(opened.request)
    assert.equal(
      `${request.method} ${request.scheme}://${request.authority}${request.path}`,
      'GET https://example.com/',
    )

    const head = bytes(body).subarray(0, 7)
    const requestLabel = new TextEncoder().encode(label.replace('response', 'request'))
    const info = Uint8Array.from([...requestLabel, 0, ...head]).buffer
    const context = await suite.createRecipientContext({
      recipientKey: key.privateKey,
      enc: buffer(enc),
      info,
    })
    const keys = () => responseKeys(context, label, bytes(enc), bytes(nonce))
    const sealer = new ResponseSealer(form, bytes(nonce), await keys())
    // The draft's example sends one chunk of each byte boundary it likes: 01, 40, c8 and an empty last one.
    const parts = form === 'whole' ? [await sealer.seal(bytes(RESPONSE), true)] : []
    if (form === 'chunked') {
      parts.push(await sealer.seal(bytes('01'), false), await sealer.seal(bytes('40c8'), false))
      parts.push(await sealer.seal(new Uint8Array(0), true))
    }
    assert.equal(hex(sealer.start) + parts.map(hex).join(''), answer)

    // The client's context exports the same secrets, so the recipient's stands in for it here.
    const opener = new ResponseOpener(form, bytes(enc), context as never)
    const reader = new BinaryResponseReader()
    for (const byte of bytes(answer)) {
      for (const part of await opener.push(Uint8Array.of(byte))) reader.push(part)
    }
    reader.push(await opener.end())
    assert.deepEqual(reader.head, { status: 200, headers: [] })
    assert.equal(reader.end().length, 0)
  })
}

const HEAD = { method: 'POST', scheme: 'https', authority: 'enclave', path: '/v1/chat/completions' }

test('requests and answers of any size go through both forms, in whatever pieces they arrive', async () => {
  const key = await createOhttpKey()
  for (const form of ['whole', 'chunked'] as const) {
    for (const size of [0, 1, 16_383, 16_384, 16_385, 70_000]) {
      const content = new Uint8Array(size).map((_, at) => at % 251)
      const headers = [['Content-Type', 'application/json']] as const
      const { body, opener } = await encapsulateRequest(
        key.config,
        encodeBinaryRequest({ ...HEAD, headers, body: content }),
        form,
      )
      const { request, seal } = await openRequest(key, body, form)
      const read = decodeBinaryRequest(request)
      assert.deepEqual(
        { ...read, body: hex(read.body) },
        { ...HEAD, headers: [['content-type', 'application/json']], body: hex(content) },
      )

      const sealer = await seal()
      const plain = [
        encodeResponseHead(207, [['x-a', 'é']]),
        ...(size === 0 ? [] : [encodeContentChunk(content)]),
      ]
      const sealed = [sealer.start]
      if (form === 'whole') {
        sealed.push(await sealer.seal(Buffer.concat([...plain, RESPONSE_END]), true))
      } else {
        for (const part of plain) sealed.push(await sealer.seal(part, false))
        sealed.push(await sealer.seal(RESPONSE_END, true))
      }
      const wire = Buffer.concat(sealed)
      const reader = new BinaryResponseReader()
      const got: Uint8Array[] = []
      for (let at = 0; at < wire.length; at += 9_973) {
        for (const part of await opener.push(wire.subarray(at, at + 9_973))) got.push(...reader.push(part))
      }
      got.push(...reader.push(await opener.end()))
      got.push(reader.end())
      assert.deepEqual(reader.head, { status: 207, headers: [['x-a', 'é']] })
      assert.equal(hex(Buffer.concat(got)), hex(content))
    }
  }
})

test('an answer that was cut off, reordered or changed does not open', async () => {
  const key = await createOhttpKey()
  const request = encodeBinaryRequest({ ...HEAD, headers: [], body: new Uint8Array(5) })
  const exchange = async (change: (parts: Uint8Array[]) => Uint8Array[]) => {
    const { body, opener } = await encapsulateRequest(key.config, request, 'chunked')
    const sealer = await (await openRequest(key, body, 'chunked')).seal()
    const parts = [sealer.start]
    for (const text of ['one', 'two']) parts.push(await sealer.seal(new TextEncoder().encode(text), false))
    parts.push(await sealer.seal(new TextEncoder().encode('end'), true))
    for (const part of change(parts)) await opener.push(part)
    await opener.end()
  }
  await exchange((parts) => parts)
  const bad: ((parts: Uint8Array[]) => Uint8Array[])[] = [
    (parts) => parts.slice(0, 3),
    (parts) => parts.slice(0, 1),
    () => [],
    ([start, one, two, end]) => [start, two, one, end] as Uint8Array[],
    ([start, one, , end]) => [start, one, end] as Uint8Array[],
    ([start, one, two, end]) => [start, one, two, (end as Uint8Array).with(4, 0)] as Uint8Array[],
    ([, one, two, end]) => [new Uint8Array(16), one, two, end] as Uint8Array[],
  ]
  for (const change of bad) await assert.rejects(exchange(change), { code: 'malformed' })
})

test('a request for another key, of the other form, or changed does not open', async () => {
  const [key, other] = [await createOhttpKey(), await createOhttpKey()]
  const { body } = await encapsulateRequest(
    key.config,
    encodeBinaryRequest({ ...HEAD, headers: [], body: new Uint8Array(5) }),
    'chunked',
  )
  const same = { ...other, keyId: key.keyId }
  await assert.rejects(openRequest(same, body, 'chunked'), { code: 'malformed' })
  await assert.rejects(openRequest(key, body, 'whole'), { code: 'malformed' })
  await assert.rejects(openRequest(key, body.subarray(0, -1), 'chunked'), { code: 'malformed' })
  for (const at of [0, 1, 6, 7, 20, 39, 40, 60, body.length - 1]) {
    const changed = body.with(at, (body[at] as number) ^ 1)
    await assert.rejects(openRequest(key, changed, 'chunked'), { code: 'malformed' }, `byte ${at}`)
  }
  for (const bad of ['', '01', '010010', `${hex(key.config)}00`, hex(key.config.slice(0, 37))]) {
    await assert.rejects(encapsulateRequest(bytes(bad), new Uint8Array(1), 'whole'), { code: 'malformed' })
  }
})

test('hostile bytes give an error of ours, never another and never a hang', async () => {
  const key = await createOhttpKey()
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (noise, chunked) => {
      const ours = (error: unknown) => assert.equal((error as { code?: string }).code, 'malformed')
      const form = chunked ? 'chunked' : 'whole'
      await openRequest(key, Uint8Array.of(key.keyId, 0, 0x20, 0, 1, 0, 1, ...noise), form).catch(ours)
      for (const framing of [0, 2]) {
        try {
          decodeBinaryRequest(Uint8Array.of(framing, ...noise))
        } catch (error) {
          ours(error)
        }
      }
      const reader = new BinaryResponseReader()
      try {
        reader.push(Uint8Array.of(chunked ? 3 : 1, ...noise))
        reader.end()
      } catch (error) {
        ours(error)
      }
    }),
    { numRuns: 300 },
  )
})

test('RFC 9000 A.1: variable-length integers', () => {
  // The eight-byte example of the RFC is above 2^53, so it is refused.
  assert.throws(() => readVarint(bytes('c2197c5eff14e88c'), 'it'), { code: 'malformed' })
  const samples = [
    ['9d7f3e7d', 494_878_333],
    ['7bbd', 15_293],
    ['25', 37],
  ] as const
  for (const [text, value] of samples) {
    assert.deepEqual(readVarint(bytes(text), 'it'), { value, length: text.length / 2 })
    assert.equal(hex(writeVarint(value)), text)
  }
  assert.deepEqual(readVarint(bytes('4025'), 'it'), { value: 37, length: 2 })
  assert.equal(readVarint(bytes('9d7f3e'), 'it'), undefined)
})
