import { concatBytes } from '../http.ts'
import { ByteReader, malformed, readVarint, writeVarint } from './varint.ts'

/** Bounds of what is read; a head larger than a server's own is refused before anything is made of it. */
const MAX_HEAD_BYTES = 65_536
const MAX_FIELDS = 128
const MAX_CONTENT_BYTES = 1 << 26

/** Framing indicators (RFC 9292 §3.3). */
const KNOWN_REQUEST = 0
const KNOWN_RESPONSE = 1
const INDETERMINATE_REQUEST = 2
const INDETERMINATE_RESPONSE = 3

export type Field = readonly [name: string, value: string]

/** A request as binary HTTP carries it (RFC 9292). */
export type BinaryRequest = {
  method: string
  scheme: string
  authority: string
  path: string
  headers: readonly Field[]
  body: Uint8Array
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

const prefixed = (bytes: Uint8Array): Uint8Array => concatBytes([writeVarint(bytes.length), bytes])
const text = (value: string): Uint8Array => prefixed(encoder.encode(value))
const fieldLines = (fields: readonly Field[]): Uint8Array =>
  concatBytes(fields.flatMap(([name, value]) => [text(name.toLowerCase()), text(value)]))

function decode(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed(`${what} is not UTF-8`)
  }
}

/** Known-length form. */
export function encodeBinaryRequest(request: BinaryRequest): Uint8Array {
  const { method, scheme, authority, path, headers, body } = request
  const control = [method, scheme, authority, path].map(text)
  return concatBytes([writeVarint(KNOWN_REQUEST), ...control, prefixed(fieldLines(headers)), prefixed(body)])
}

function readField(reader: ByteReader): Field {
  const name = decode(reader.prefixed(MAX_HEAD_BYTES, 'a field name'), 'a field name')
  return fieldOf(name, decode(reader.prefixed(MAX_HEAD_BYTES, 'a field value'), 'a field value'))
}

function fieldOf(name: string, value: string): Field {
  // RFC 9110 §5.1 and §5.5; upper case is malformed in binary HTTP (RFC 9292 §3.6).
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) throw malformed('a field has no proper name')
  if (/[\r\n\0]/.test(value)) throw malformed('a field value holds a line break')
  return [name, value]
}

function readFields(bytes: Uint8Array): Field[] {
  const reader = new ByteReader(bytes)
  const fields: Field[] = []
  while (reader.left > 0) {
    fields.push(readField(reader))
    if (fields.length > MAX_FIELDS) throw malformed(`there are more than ${MAX_FIELDS} fields`)
  }
  return fields
}

/**
 * Reads a request of either form; what may be left out at the end (RFC 9292 §3.8) may be left out.
 * @throws AssayError `malformed`
 */
export function decodeBinaryRequest(bytes: Uint8Array): BinaryRequest {
  const reader = new ByteReader(bytes)
  const framing = reader.varint(3, 'the framing')
  if (framing !== KNOWN_REQUEST && framing !== INDETERMINATE_REQUEST) throw malformed('it is no request')
  const control = (what: string): string => decode(reader.prefixed(8192, what), what)
  const head = {
    method: control('the method'),
    scheme: control('the scheme'),
    authority: control('the authority'),
    path: control('the path'),
  }
  const rest = framing === KNOWN_REQUEST ? knownRest(reader) : indeterminateRest(reader)
  return { ...head, ...rest }
}

function knownRest(reader: ByteReader): { headers: Field[]; body: Uint8Array } {
  const headers = reader.left === 0 ? [] : readFields(reader.prefixed(MAX_HEAD_BYTES, 'the header section'))
  const body = reader.left === 0 ? new Uint8Array(0) : reader.prefixed(MAX_CONTENT_BYTES, 'the content')
  if (reader.left > 0) readFields(reader.prefixed(MAX_HEAD_BYTES, 'the trailer section'))
  padding(reader)
  return { headers, body }
}

function indeterminateRest(reader: ByteReader): { headers: Field[]; body: Uint8Array } {
  const section = (): Field[] => {
    const fields: Field[] = []
    while (reader.left > 0) {
      const name = decode(reader.prefixed(MAX_HEAD_BYTES, 'a field name'), 'a field name')
      if (name === '') break
      fields.push(fieldOf(name, decode(reader.prefixed(MAX_HEAD_BYTES, 'a field value'), 'a field value')))
      if (fields.length > MAX_FIELDS) throw malformed(`there are more than ${MAX_FIELDS} fields`)
    }
    return fields
  }
  const headers = section()
  const content: Uint8Array[] = []
  while (reader.left > 0) {
    const chunk = reader.prefixed(MAX_CONTENT_BYTES, 'the content')
    if (chunk.length === 0) break
    content.push(chunk)
  }
  section()
  padding(reader)
  return { headers, body: concatBytes(content) }
}

function padding(reader: ByteReader): void {
  if (reader.take(reader.left, 'the padding').some((byte) => byte !== 0)) {
    throw malformed('the padding is not zero')
  }
}

/** Head of a response of indeterminate length; content chunks and the end follow. */
export function encodeResponseHead(status: number, headers: readonly Field[]): Uint8Array {
  return concatBytes([
    writeVarint(INDETERMINATE_RESPONSE),
    writeVarint(status),
    fieldLines(headers),
    writeVarint(0),
  ])
}

/** @param bytes not empty: an empty chunk would be the end */
export function encodeContentChunk(bytes: Uint8Array): Uint8Array {
  return prefixed(bytes)
}

/** End of the content, and an empty trailer section. */
export const RESPONSE_END: Uint8Array = Uint8Array.of(0, 0)

export type ResponseHead = { status: number; headers: readonly Field[] }

/**
 * Reads a response as it arrives, in whatever pieces. A known-length response is read too, once it is whole.
 * `push` gives the content that became readable; `head` is there from the moment it can be.
 */
export class BinaryResponseReader {
  #pending: Uint8Array = new Uint8Array(0)
  #known = false
  #contentDone = false
  head: ResponseHead | undefined

  /** @throws AssayError `malformed` */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#pending = concatBytes([this.#pending, bytes])
    if (this.head === undefined && !this.#readHead()) return []
    const content: Uint8Array[] = []
    while (!this.#known && !this.#contentDone) {
      const length = readVarint(this.#pending, 'the content')
      if (length === undefined) break
      if (length.value > MAX_CONTENT_BYTES) throw malformed('the content is too long')
      const end = length.length + length.value
      if (this.#pending.length < end) break
      if (length.value === 0) this.#contentDone = true
      else content.push(this.#pending.slice(length.length, end))
      this.#pending = this.#pending.slice(end)
    }
    return content
  }

  /** Call when everything was pushed. @throws AssayError `malformed` where the message is not complete */
  end(): Uint8Array {
    if (this.head === undefined) throw malformed('the response ends within its head')
    if (!this.#known) {
      if (!this.#contentDone) throw malformed('the response ends within its content')
      return new Uint8Array(0)
    }
    const reader = new ByteReader(this.#pending)
    return reader.left === 0 ? new Uint8Array(0) : reader.prefixed(MAX_CONTENT_BYTES, 'the content')
  }

  #readHead(): boolean {
    const framing = readVarint(this.#pending, 'the framing')
    if (framing === undefined) return false
    if (framing.value === KNOWN_RESPONSE) this.#known = true
    else if (framing.value !== INDETERMINATE_RESPONSE) throw malformed('it is no response')
    try {
      const reader = new ByteReader(this.#pending.subarray(framing.length))
      // 100 to 199 are informational and of no use here.
      const status = reader.varint(599, 'the status')
      if (status < 200) throw malformed(`the status is ${status}`)
      const headers = this.#known ? knownFields(reader) : openFields(reader)
      this.head = { status, headers }
      this.#pending = reader.take(reader.left, 'the rest').slice()
      return true
    } catch (error) {
      // It may only be incomplete; beyond the bound of a head it never will be whole.
      if (this.#pending.length > MAX_HEAD_BYTES) throw error
      if (error instanceof Error && /ends too soon/.test(error.message)) return false
      throw error
    }
  }
}

const knownFields = (reader: ByteReader): Field[] =>
  reader.left === 0 ? [] : readFields(reader.prefixed(MAX_HEAD_BYTES, 'the header section'))

function openFields(reader: ByteReader): Field[] {
  const fields: Field[] = []
  for (;;) {
    const name = decode(reader.prefixed(MAX_HEAD_BYTES, 'a field name'), 'a field name')
    if (name === '') return fields
    fields.push(fieldOf(name, decode(reader.prefixed(MAX_HEAD_BYTES, 'a field value'), 'a field value')))
    if (fields.length > MAX_FIELDS) throw malformed(`there are more than ${MAX_FIELDS} fields`)
  }
}
