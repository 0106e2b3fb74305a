/** Vectors of the domain tags. */
import { TAGS, tag } from '../../src/index.ts'
import type { Vector } from './world.ts'

export function tags(): Vector[] {
  const names = {
    request: 'assay/request/v1',
    response: 'assay/response/v1',
    requestId: 'assay/request-id/v1',
    deployment: 'assay/deployment/v1',
    leaf: 'assay/leaf/v1',
    node: 'assay/node/v1',
    row: 'assay/row/v1',
    group: 'assay/group/v1',
    data: 'assay/data/v1',
    dataChunk: 'assay/data-chunk/v1',
    dataNode: 'assay/data-node/v1',
    batch: 'assay/batch/v1',
    fault: 'assay/fault/v1',
    registration: 'assay/registration/v1',
    enclaveBinding: 'assay/enclave-binding/v2',
    nitroMeasurement: 'assay/measurement/nitro/v1',
    snpMeasurement: 'assay/measurement/snp/v1',
    tdxMeasurement: 'assay/measurement/tdx/v1',
    sgxMeasurement: 'assay/measurement/sgx/v1',
    gpuNonce: 'assay/gpu-nonce/v1',
    canary: 'assay/canary/v1',
    zkEvidence: 'assay/zk-evidence/v1',
    zkCircuit: 'assay/zk-circuit/v1',
  } as const
  const ours = Object.entries(names).map(([at, name]) => ({ name, tag: TAGS[at as keyof typeof names] }))
  return [...ours, ...['nitro', 'nitro-sim', '0x61', 'é'].map((name) => ({ name, tag: tag(name) }))]
}
