/** NVIDIA GPUs: their own reports, or the tokens of NVIDIA's remote attestation service. Start with `verifyGpu.ts`. */
export type { Jwks } from '../jose/jws.ts'
export { type GpuEvidenceEntry, parseGpuEvidence } from './gpuEvidence.ts'
export { type GpuReport, parseGpuReport } from './gpuReport.ts'
export { type NrasTokens, parseNrasResponse } from './nrasTokens.ts'
export * from './rim.ts'
export * from './verifyGpu.ts'
export * from './verifyNras.ts'
