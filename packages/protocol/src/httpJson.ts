import { fromBase64, toBase64 } from './base64/base64.ts'
import type { Json } from './canonicalJson.ts'
import type { HttpRequestBytes, HttpResponseBytes } from './http.ts'
import { readArray, readObject, readSmallUint, readString } from './schema.ts'

/** Requests and responses as they stand in bundles and batch files (docs/spec.md §8). */
export function requestToJson({ method, path, headers, body }: HttpRequestBytes): { [name: string]: Json } {
  return { method, path, headers: [...headers], body: toBase64(body) }
}

export function responseToJson({ status, contentType, body }: HttpResponseBytes): { [name: string]: Json } {
  return { status, contentType, body: toBase64(body) }
}

/** @param maxBody characters of base64 @throws AssayError `malformed` */
export function requestFromJson(value: Json | undefined, where: string, maxBody: number): HttpRequestBytes {
  const request = readObject(value, where, ['method', 'path', 'headers', 'body'])
  return {
    method: readString(request.method, `${where}.method`, 16),
    path: readString(request.path, `${where}.path`, 8192),
    headers: readArray(request.headers, `${where}.headers`, 256).map((line, at) =>
      readString(line, `${where}.headers[${at}]`, 16_384),
    ),
    body: fromBase64(readString(request.body, `${where}.body`, maxBody)),
  }
}

/** @param maxBody characters of base64 @throws AssayError `malformed` */
export function responseFromJson(value: Json | undefined, where: string, maxBody: number): HttpResponseBytes {
  const response = readObject(value, where, ['status', 'contentType', 'body'])
  return {
    status: readSmallUint(response.status, `${where}.status`, 999),
    contentType: readString(response.contentType, `${where}.contentType`, 256),
    body: fromBase64(readString(response.body, `${where}.body`, maxBody)),
  }
}
