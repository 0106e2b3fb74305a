import type { Report } from '@assay/verify'
import { printable } from './output.ts'

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const

/** The checklist as a person reads it: a mark, the step, the reason; then what its reader trusts. */
export function checklist(report: Report): string {
  const width = Math.max(...report.steps.map((step) => step.name.length))
  const lines = report.steps.map((step) => {
    const required = report.missing.includes(step.name) ? ' (required)' : ''
    return `  ${MARKS[step.outcome]} ${step.name.padEnd(width)}  ${step.reason}${required}\n`
  })
  // Reasons quote the bundle, which may come from anyone.
  return printable(`${lines.join('')}\n  trust: ${report.trust}\n`)
}
