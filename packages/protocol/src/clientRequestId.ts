/**
 * The id of an exchange, where the vendors' clients look for it: OpenAI's under the first name, Anthropic's under the
 * second. Both go on every answer, because an error need not tell whose client it is for.
 */
export function clientRequestId(id: string): { 'x-request-id': string; 'request-id': string } {
  return { 'x-request-id': id, 'request-id': id }
}

/**
 * Of an exchange, for as long as no request that is paid for stands behind it: what a client tells of a refusal, and the
 * operator of whoever refused finds in the log. Random, for a count would tell everybody how much is asked there.
 */
export function exchangeId(): string {
  return `req_${crypto.randomUUID()}`
}
