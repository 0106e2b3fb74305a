/**
 * The id of an exchange, where the vendors' clients look for it: OpenAI's under the first name, Anthropic's under the
 * second. Both go on every answer, because an error need not tell whose client it is for.
 */
export function clientRequestId(id: string): { 'x-request-id': string; 'request-id': string } {
  return { 'x-request-id': id, 'request-id': id }
}
