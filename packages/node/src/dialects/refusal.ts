import type { DialectError } from '@assay/protocol'

/** A request that is refused, carried out of the readers that found the reason. */
export class Refusal extends Error {
  readonly error: DialectError
  constructor(error: DialectError) {
    super(error.message)
    this.error = error
  }
}

export function badRequest(message: string, param: string | null, code: string, status = 400): DialectError {
  return { status, message, type: 'invalid_request_error', code, param }
}

/** @throws Refusal 400 */
export function refuse(message: string, param: string, code = 'invalid_value'): never {
  throw new Refusal(badRequest(message, param, code))
}
