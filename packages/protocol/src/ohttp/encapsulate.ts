import type { RecipientContext, SenderContext } from '@hpke/core'
import { concatBytes } from '../http.ts'
import {
  AEAD_ID,
  ENC_BYTES,
  KDF_ID,
  KEM_ID,
  type OhttpKey,
  RESPONSE_NONCE_BYTES,
  readKeyConfig,
  suite,
} from './keyConfig.ts'
import { type ResponseKeys, responseKeys } from './responseKeys.ts'
import { ByteReader, malformed, readVarint, writeVarint } from './varint.ts'

/** Whole messages (RFC 9458), or messages in chunks that can be read as they come (draft-ietf-ohai-chunked-ohttp-08). */
export type OhttpForm = 'whole' | 'chunked'

/** Media types of requests and responses, by form. */
export const OHTTP_REQUEST_TYPE: Readonly<Record<OhttpForm, string>> = {
  whole: 'message/ohttp-req',
  chunked: 'message/ohttp-chunked-req',
}
export const OHTTP_RESPONSE_TYPE: Readonly<Record<OhttpForm, string>> = {
  whole: 'message/ohttp-res',
  chunked: 'message/ohttp-chunked-res',
}

const LABELS: Readonly<Record<OhttpForm, { request: string; response: string }>> = {
  whole: { request: 'message/bhttp request', response: 'message/bhttp response' },
  chunked: { request: 'message/bhttp chunked request', response: 'message/bhttp chunked response' },
}
/** Every receiver reads chunks of this size (draft §3), so no sender writes larger ones. */
const CHUNK_BYTES = 16_384
/** Largest sealed chunk that is read, and what a key's header takes. */
const MAX_SEALED_BYTES = 65_536
const HEADER_BYTES = 7
const FINAL = new TextEncoder().encode('final')
const NOTHING = new Uint8Array(0)

/** A copy with a buffer of its own, which is what WebCrypto and the HPKE library take. */
const own = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer

function header(keyId: number): Uint8Array {
  return Uint8Array.of(
    keyId,
    KEM_ID >> 8,
    KEM_ID & 0xff,
    KDF_ID >> 8,
    KDF_ID & 0xff,
    AEAD_ID >> 8,
    AEAD_ID & 0xff,
  )
}

function infoOf(form: OhttpForm, head: Uint8Array): ArrayBuffer {
  return own(concatBytes([new TextEncoder().encode(LABELS[form].request), Uint8Array.of(0), head]))
}

/** A request that was encrypted, and what opens its answer. */
export type EncapsulatedRequest = { body: Uint8Array; opener: ResponseOpener }

/** Encrypts a binary HTTP request to a key configuration. @throws AssayError `malformed` where the key is unreadable */
export async function encapsulateRequest(
  config: Uint8Array,
  request: Uint8Array,
  form: OhttpForm,
): Promise<EncapsulatedRequest> {
  const { keyId, publicKey } = await readKeyConfig(config)
  const head = header(keyId)
  const context = await suite.createSenderContext({ recipientPublicKey: publicKey, info: infoOf(form, head) })
  const enc = new Uint8Array(context.enc)
  const sealed =
    form === 'whole' ? [await seal(context, request, NOTHING)] : await sealChunks(context, request)
  return {
    body: concatBytes([head, enc, ...sealed]),
    opener: new ResponseOpener(form, enc, context),
  }
}

async function seal(context: SenderContext, bytes: Uint8Array, aad: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await context.seal(own(bytes), own(aad)))
}

async function sealChunks(context: SenderContext, request: Uint8Array): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  let at = 0
  for (; request.length - at > CHUNK_BYTES; at += CHUNK_BYTES) {
    const chunk = await seal(context, request.subarray(at, at + CHUNK_BYTES), NOTHING)
    parts.push(writeVarint(chunk.length), chunk)
  }
  parts.push(writeVarint(0), await seal(context, request.subarray(at), FINAL))
  return parts
}

/** A request that was opened, and what seals its answer. */
export type OpenedRequest = { request: Uint8Array; seal: () => Promise<ResponseSealer> }

/**
 * Opens an encapsulated request with the enclave's key.
 * @throws AssayError `malformed` where it is for another key, or does not open
 */
export async function openRequest(key: OhttpKey, body: Uint8Array, form: OhttpForm): Promise<OpenedRequest> {
  const reader = new ByteReader(body)
  const head = reader.take(HEADER_BYTES, 'the header')
  const enc = reader.take(ENC_BYTES, 'the encapsulated key')
  const expected = header(key.keyId)
  if (!head.every((byte, index) => byte === expected[index])) throw malformed('it is for another key')
  try {
    const context = await suite.createRecipientContext({
      recipientKey: key.privateKey,
      enc: own(enc),
      info: infoOf(form, head),
    })
    const open = async (bytes: Uint8Array, aad: Uint8Array): Promise<Uint8Array> =>
      new Uint8Array(await context.open(own(bytes), own(aad)))
    const request =
      form === 'whole'
        ? await open(reader.take(reader.left, 'the request'), NOTHING)
        : await openChunks(reader, open)
    return { request, seal: () => ResponseSealer.create(form, enc, context) }
  } catch (error) {
    throw error instanceof Error && error.name === 'AssayError'
      ? error
      : malformed('it does not open with this key')
  }
}

async function openChunks(
  reader: ByteReader,
  open: (bytes: Uint8Array, aad: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for (;;) {
    const length = reader.varint(MAX_SEALED_BYTES, 'a chunk')
    if (length !== 0) parts.push(await open(reader.take(length, 'a chunk'), NOTHING))
    else {
      parts.push(await open(reader.take(reader.left, 'the last chunk'), FINAL))
      return concatBytes(parts)
    }
  }
}

/** Seals one answer. `start` is what goes before the first chunk. */
export class ResponseSealer {
  readonly form: OhttpForm
  /** The response nonce, first on the wire. */
  readonly start: Uint8Array
  readonly #keys: ResponseKeys

  constructor(form: OhttpForm, start: Uint8Array, keys: ResponseKeys) {
    this.form = form
    this.start = start
    this.#keys = keys
  }

  static async create(form: OhttpForm, enc: Uint8Array, context: RecipientContext): Promise<ResponseSealer> {
    const nonce = crypto.getRandomValues(new Uint8Array(RESPONSE_NONCE_BYTES))
    const keys = await responseKeys(context, LABELS[form].response, enc, nonce)
    return new ResponseSealer(form, nonce, keys)
  }

  /** Seals and frames the next bytes; where the form is `whole`, there is only the last. */
  async seal(bytes: Uint8Array, last: boolean): Promise<Uint8Array> {
    if (this.form === 'whole') return this.#keys.seal(bytes, NOTHING)
    const parts: Uint8Array[] = []
    let at = 0
    for (; bytes.length - at > CHUNK_BYTES; at += CHUNK_BYTES) {
      parts.push(...(await this.#chunk(bytes.subarray(at, at + CHUNK_BYTES))))
    }
    const rest = bytes.subarray(at)
    if (last) parts.push(writeVarint(0), await this.#keys.seal(rest, FINAL))
    else if (rest.length > 0) parts.push(...(await this.#chunk(rest)))
    return concatBytes(parts)
  }

  async #chunk(bytes: Uint8Array): Promise<[Uint8Array, Uint8Array]> {
    const sealed = await this.#keys.seal(bytes, NOTHING)
    return [writeVarint(sealed.length), sealed]
  }
}

/** Opens one answer as it arrives. What was not closed by the last chunk must not be taken for complete. */
export class ResponseOpener {
  readonly #form: OhttpForm
  readonly #enc: Uint8Array
  readonly #context: SenderContext
  #keys: ResponseKeys | undefined
  #pending: Uint8Array = NOTHING
  #final = false

  constructor(form: OhttpForm, enc: Uint8Array, context: SenderContext) {
    this.#form = form
    this.#enc = enc
    this.#context = context
  }

  /** Plaintext that became readable. @throws AssayError `malformed` */
  async push(bytes: Uint8Array): Promise<Uint8Array[]> {
    this.#pending = concatBytes([this.#pending, bytes])
    const opened: Uint8Array[] = []
    if (this.#keys === undefined) {
      if (this.#pending.length < RESPONSE_NONCE_BYTES) return opened
      const nonce = this.#pending.slice(0, RESPONSE_NONCE_BYTES)
      this.#keys = await responseKeys(this.#context, LABELS[this.#form].response, this.#enc, nonce)
      this.#pending = this.#pending.slice(RESPONSE_NONCE_BYTES)
    }
    while (this.#form === 'chunked' && !this.#final) {
      const length = readVarint(this.#pending, 'a chunk')
      if (length === undefined) break
      if (length.value > MAX_SEALED_BYTES) throw malformed('a chunk is too long')
      if (length.value === 0) this.#final = true
      else if (this.#pending.length < length.length + length.value) break
      else
        opened.push(
          await this.#open(this.#pending.slice(length.length, length.length + length.value), NOTHING),
        )
      this.#pending = this.#pending.slice(length.length + length.value)
    }
    return opened
  }

  /** The last plaintext. @throws AssayError `malformed` where the answer was cut off */
  async end(): Promise<Uint8Array> {
    if (this.#form === 'chunked' && !this.#final) throw malformed('it was cut off')
    return this.#open(this.#pending, this.#form === 'chunked' ? FINAL : NOTHING)
  }

  async #open(bytes: Uint8Array, aad: Uint8Array): Promise<Uint8Array> {
    if (this.#keys === undefined) throw malformed('it was cut off')
    return this.#keys.open(bytes, aad)
  }
}
