/** AMD SEV-SNP. Start with `verifySnp.ts`. */
export { decodeSnpEvidence, encodeSnpEvidence } from './evidence.ts'
export { AMD_ROOT_HASHES, productOfCpuid, SNP_PRODUCTS, type SnpProduct } from './product.ts'
export * from './snpPolicy.ts'
export { parseSnpReport, SNP_REPORT_BYTES, type SnpReport, type SnpSigner } from './snpReport.ts'
export type { SnpTcb } from './tcb.ts'
export * from './verifySnp.ts'
