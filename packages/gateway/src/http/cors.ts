/** Browsers may call the gateway from any page and read every header that carries our part of the answer. */
export const CORS_HEADERS: Record<string, string> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'x-assay-receipt, x-assay-request-id, x-assay-verification, x-assay-route, x-assay-replayed, assay-refused, x-should-retry, x-request-id, request-id, PAYMENT-REQUIRED, PAYMENT-RESPONSE, Retry-After, X-Settlement-Tx-Hash, X-Settlement-Walrus-Blob-ID',
}
export const PREFLIGHT_HEADERS: Record<string, string> = {
  ...CORS_HEADERS,
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  // The wildcard does not cover authorization (Fetch standard, CORS-preflight), which OpenAI clients always send.
  'access-control-allow-headers': '*, authorization',
  'access-control-max-age': '86400',
}
