import type { Step, StepName } from './step.ts'

export type Report = {
  /** The checklist, in order. */
  steps: Step[]
  /** No step failed, and every required one passed. */
  ok: boolean
  /** Required steps that were skipped. */
  missing: StepName[]
  /** One sentence: what its reader trusts who relies on this. */
  trust: string
}

export function report(steps: Step[], required: readonly StepName[], trust: string): Report {
  const missing = required.filter((name) =>
    steps.some((entry) => entry.name === name && entry.outcome === 'skipped'),
  )
  const bad = steps.filter((entry) => entry.outcome === 'failed').map((entry) => entry.name)
  const verdict = bad.length > 0 ? `Do not rely on this answer (failed: ${bad.join(', ')}). ` : ''
  const gap = missing.length > 0 ? `Not proven yet: ${missing.join(', ')}. ` : ''
  return { steps, ok: bad.length === 0 && missing.length === 0, missing, trust: verdict + gap + trust }
}
