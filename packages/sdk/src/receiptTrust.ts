import type { Report } from '@assay/verify'

/**
 * The trust statement of a receipt without its contents: whether the payer signed the request is unknown then, since
 * that signature stands in the saved bundle alone.
 */
export function receiptTrust(report: Report): string {
  return report.trust.replace('; request not signed by payer', '')
}
