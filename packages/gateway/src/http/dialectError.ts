/** An error as the OpenAI dialect words it; `code` is stable and may be relied on. */
export type DialectError = {
  status: number
  /** What happened, why, and what to do next. */
  message: string
  type: 'invalid_request_error' | 'payment_required' | 'rate_limit_error' | 'server_error'
  code: string
  param?: string | null | undefined
  headers?: Record<string, string> | undefined
}

export function dialectBody(error: DialectError): string {
  const { message, type, code, param = null } = error
  return JSON.stringify({ error: { message, type, param, code } })
}

/** Carries a dialect error out of a handler. */
export class RefusedError extends Error {
  readonly dialect: DialectError
  constructor(dialect: DialectError) {
    super(dialect.message)
    this.dialect = dialect
  }
}
