/** What a check found wrong. */
export type Problem<Code extends string> = { code: Code; reason: string }

/** Codes that every kind of evidence shares. A code never changes its meaning. */
export type CommonCode =
  | 'ok'
  | 'unreadable' // the bytes cannot be parsed as what this check reads
  | 'not_reached' // skipped: an earlier check failed, so nothing here could be believed
  | 'not_asked' // skipped: the caller gave nothing to compare with

export type TeeStep<Name extends string, Code extends string> = {
  name: Name
  /**
   * `validity` steps decide whether the evidence is what it says; `policy` steps decide whether that is wanted. Evidence
   * may be cryptographically sound and still be refused.
   */
  question: 'validity' | 'policy'
  outcome: 'passed' | 'failed' | 'skipped'
  /** Empty where passed; else one clause for a person. */
  reason: string
  code: Code | CommonCode
}

export type TeeReport<Name extends string, Code extends string, Attestation> = {
  /** `valid_but_refused`: genuine evidence that policy does not accept; its failed steps say why. */
  verdict: 'accepted' | 'valid_but_refused' | 'invalid'
  /** The verdict is `accepted`. */
  ok: boolean
  /** The whole checklist, in order. */
  steps: TeeStep<Name, Code>[]
  /** What the evidence states; only where it was accepted, so that nothing refused is used by mistake. */
  attestation: Attestation | undefined
}

/**
 * Collects the outcomes of one verification. After the first failed validity check the rest is skipped, since nothing
 * later could be believed; failed policy checks are all collected, since a reader wants to know each of them.
 */
export class Checklist<Name extends string, Code extends string> {
  readonly #steps: TeeStep<Name, Code>[] = []
  #valid = true
  #refused = false

  /** `problem` answers undefined where all is well; what it throws on hostile bytes is a failed step. */
  check(name: Name, problem: () => Problem<Code> | undefined): void {
    this.#run(name, 'validity', problem)
  }

  policy(name: Name, problem: () => Problem<Code> | undefined): void {
    this.#run(name, 'policy', problem)
  }

  skip(name: Name, question: TeeStep<Name, Code>['question'], reason: string): void {
    this.#steps.push({ name, question, outcome: 'skipped', reason, code: 'not_asked' })
  }

  #run(name: Name, question: TeeStep<Name, Code>['question'], problem: () => Problem<Code> | undefined) {
    if (!this.#valid) {
      const reason = 'an earlier check failed'
      this.#steps.push({ name, question, outcome: 'skipped', reason, code: 'not_reached' })
      return
    }
    let found: Problem<Code | CommonCode> | undefined
    try {
      found = problem()
    } catch (error) {
      const text =
        error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : 'unknown form'
      found = { code: 'unreadable', reason: `it cannot be read: ${text}` }
    }
    if (found === undefined) {
      this.#steps.push({ name, question, outcome: 'passed', reason: '', code: 'ok' })
      return
    }
    if (question === 'validity') this.#valid = false
    else this.#refused = true
    this.#steps.push({ name, question, outcome: 'failed', ...found })
  }

  /** Closes the list; `attestation` is called only where every check that ran has passed. */
  report<Attestation>(attestation: () => Attestation): TeeReport<Name, Code, Attestation> {
    const verdict = !this.#valid ? 'invalid' : this.#refused ? 'valid_but_refused' : 'accepted'
    const ok = verdict === 'accepted'
    return { verdict, ok, steps: this.#steps, attestation: ok ? attestation() : undefined }
  }
}
