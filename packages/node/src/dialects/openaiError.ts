/** An error in OpenAI's shape; `code` is stable, `param` names the member of the body it is about. */
export type DialectError = {
  status: number
  message: string
  type: 'invalid_request_error' | 'rate_limit_error' | 'server_error' | 'payment_required'
  code: string
  param: string | null
}

export function badRequest(message: string, param: string | null, code: string, status = 400): DialectError {
  return { status, message, type: 'invalid_request_error', code, param }
}

/** Bytes of the error body. */
export function openaiErrorBody(error: DialectError): Uint8Array {
  const { message, type, code, param } = error
  return new TextEncoder().encode(JSON.stringify({ error: { message, type, code, param } }))
}
