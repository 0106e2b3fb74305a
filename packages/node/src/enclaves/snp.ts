import { AssayError, HARDWARE_SNP, NO_KEY_HASH } from '@assay/protocol'
import {
  AMD_ROOT_HASHES,
  encodeSnpEvidence,
  parseSnpReport,
  productOfCpuid,
  SNP_PRODUCTS,
  type SnpProduct,
  type SnpReport,
  type TrustedRoot,
} from '@assay/verify'
import { hexToBytes } from 'viem'
import { amdCertificates, readCertificateTable } from './amdCertificates.ts'
import type { Attester } from './attester.ts'
import { readTsmReport, type TsmFiles } from './configfsTsm.ts'

const REPORT_BYTES = 1184

export type SnpAttesterParameters = {
  folder?: string | undefined
  files?: TsmFiles | undefined
  /** Default AMD's own key distribution service. */
  kdsUrl?: string | undefined
  /** Line of the chip; only for reports of version 2, which do not name it. */
  product?: SnpProduct | undefined
  /** Default the roots of AMD's lines. */
  roots?: readonly TrustedRoot[] | undefined
}

const AMD_ROOTS: readonly TrustedRoot[] = SNP_PRODUCTS.map((product) => ({
  rootHash: AMD_ROOT_HASHES[product],
  hardwareType: HARDWARE_SNP,
}))

/** A SEV-SNP guest whose kernel gives reports through configfs. Certificates come from the host, else from AMD. */
export function snpAttester(parameters: SnpAttesterParameters): Attester {
  const { folder, files, roots = AMD_ROOTS } = parameters
  return {
    kind: 'snp',
    simulated: false,
    roots,
    tlsKeyHash: NO_KEY_HASH,
    async attest(binding) {
      const reportData = new Uint8Array(64)
      reportData.set(hexToBytes(binding))
      const { outblob, auxblob } = await readTsmReport({ folder, files, provider: 'sev_guest', reportData })
      const report = outblob.subarray(0, REPORT_BYTES)
      const parsed = parseSnpReport(report)
      const given = auxblob === undefined ? {} : readCertificateTable(auxblob)
      const line = () => lineOf(parsed, parameters)
      return encodeSnpEvidence({ report, ...(await amdCertificates(parsed, line, given, parameters.kdsUrl)) })
    },
  }
}

/** @throws AssayError `config` where neither the report nor the operator names the line */
function lineOf({ version, cpuid }: SnpReport, { product }: SnpAttesterParameters): SnpProduct {
  const line = cpuid === undefined ? product : productOfCpuid(cpuid.family, cpuid.model)
  if (line !== undefined) return line
  throw new AssayError('The report does not say of which line the chip is.', {
    code: 'config',
    facts: { version, cpu: cpuid === undefined ? 'not named' : `${cpuid.family}/${cpuid.model}` },
    next: `Set ASSAY_SNP_PRODUCT to one of ${SNP_PRODUCTS.join(', ')}.`,
  })
}
