/**
 * Oblivious HTTP (RFC 9458) and its chunked form, over HPKE (RFC 9180) and binary HTTP (RFC 9292): how a client encrypts
 * a request to the key of an attested enclave. Start with `encapsulate.ts`.
 */
export {
  type BinaryRequest,
  BinaryResponseReader,
  decodeBinaryRequest,
  encodeBinaryRequest,
  encodeContentChunk,
  encodeResponseHead,
  type Field,
  RESPONSE_END,
  type ResponseHead,
} from './binaryHttp.ts'
export {
  type EncapsulatedRequest,
  encapsulateRequest,
  OHTTP_REQUEST_TYPE,
  OHTTP_RESPONSE_TYPE,
  type OhttpForm,
  type OpenedRequest,
  openRequest,
  type ResponseOpener,
  type ResponseSealer,
} from './encapsulate.ts'
export { createOhttpKey, type OhttpKey, ohttpKeyHash } from './keyConfig.ts'
export { readVarint } from './varint.ts'
