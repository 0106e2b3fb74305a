/** Where encrypted requests go, at gateway and node (docs/spec.md §12); GET tells which key to encrypt to. */
export const CONFIDENTIAL_PATH = '/v1/confidential'
/** What the gateway must know of an encrypted request: the model, the most it may cost (OPG base units), the enclave. */
export const CONFIDENTIAL_HEADERS = {
  model: 'assay-model',
  maxPrice: 'assay-max-price',
  /** Address of the enclave's signing key: the request was encrypted to that enclave and no other can read it. */
  key: 'assay-enclave-key',
} as const
/** On an encrypted answer that refuses the request before any work: its status, and no receipt will follow. */
export const REFUSED_HEADER = 'assay-refused'
