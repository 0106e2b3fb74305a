import { type Hex, stringToBytes } from 'viem'
import { keccak256 } from '#keccak256'

/** Domain-separation tag: keccak256 of the UTF-8 name (docs/spec.md, conventions). */
export function tag(name: string): Hex {
  return keccak256(stringToBytes(name))
}

export const TAGS = {
  request: tag('assay/request/v1'),
  response: tag('assay/response/v1'),
  requestId: tag('assay/request-id/v1'),
  deployment: tag('assay/deployment/v1'),
  leaf: tag('assay/leaf/v1'),
  node: tag('assay/node/v1'),
  row: tag('assay/row/v1'),
  group: tag('assay/group/v1'),
  data: tag('assay/data/v1'),
  dataChunk: tag('assay/data-chunk/v1'),
  dataNode: tag('assay/data-node/v1'),
  batch: tag('assay/batch/v1'),
  fault: tag('assay/fault/v1'),
  canary: tag('assay/canary/v1'),
  registration: tag('assay/registration/v1'),
  enclaveBinding: tag('assay/enclave-binding/v2'),
  nitroMeasurement: tag('assay/measurement/nitro/v1'),
  snpMeasurement: tag('assay/measurement/snp/v1'),
  tdxMeasurement: tag('assay/measurement/tdx/v1'),
  sgxMeasurement: tag('assay/measurement/sgx/v1'),
  gpuNonce: tag('assay/gpu-nonce/v1'),
  zkEvidence: tag('assay/zk-evidence/v1'),
  zkCircuit: tag('assay/zk-circuit/v1'),
} as const
