import type { Hex } from 'viem'
import type { SnpProduct } from './product.ts'
import type { SnpSigner } from './snpReport.ts'
import type { SnpTcb } from './tcb.ts'

/** What governance accepts of genuine SEV-SNP evidence. Debug and migratable guests are refused under any policy. */
export type SnpPolicy = {
  /** Product lines that are accepted. */
  products: readonly SnpProduct[]
  /** Keys that are accepted as signers of a report. */
  signers: readonly SnpSigner[]
  /** Highest privilege level (0 is the most privileged) that may ask for a report. */
  maxVmpl: number
  /** Lowest patch levels per product; a product without an entry has no floor. */
  minimumTcb: Partial<Record<SnpProduct, Partial<SnpTcb>>>
  /** Patch levels that are refused although others below them may pass: TCB_VERSION as `tcbNumber` reads it. */
  deniedTcbs: readonly { product: SnpProduct; tcb: bigint }[]
  /** CHIP_IDs (64 bytes each) known to be broken or stolen. */
  deniedChips: readonly Hex[]
  /** Refuse evidence that brings no revocation list. */
  requireRevocationList: boolean
}

/**
 * Milan is left out: the root seed of its chip keys can be extracted in software (arXiv 2605.12990), so a genuine
 * signature no longer shows that a Milan chip made it. VLEK is left out: its key is shared by a cloud's machines, so it
 * names no chip, and a deny list cannot reach it.
 */
export const DEFAULT_SNP_POLICY: SnpPolicy = {
  products: ['Genoa', 'Turin'],
  signers: ['VCEK'],
  maxVmpl: 0,
  minimumTcb: {},
  deniedTcbs: [],
  deniedChips: [],
  requireRevocationList: false,
}
