import type { DialectError } from './dialectError.ts'

/**
 * What the head of a request must say before its body is looked at. The gateway asks before it quotes, so that nobody
 * signs a payment for what no node reads; the node asks for itself.
 */

/** What is wrong with the type of a body, if anything: it is JSON in every dialect. */
export function mediaTypeProblem(contentType: string | undefined): DialectError | undefined {
  if (/^application\/json\s*(;|$)/i.test(contentType ?? '')) return undefined
  return {
    status: 415,
    message: 'Send content-type: application/json.',
    type: 'invalid_request_error',
    code: 'unsupported_media_type',
    param: null,
  }
}

/**
 * Versions of Anthropic's API that are spoken here. They differ in what a request may hold: the later one took the
 * sampling members away. What is answered fits both, as a version only adds members.
 */
export const ANTHROPIC_VERSIONS = ['2023-06-01', '2026-10-21'] as const

/** What is wrong with the `anthropic-version` of a request, if anything; Anthropic's API demands one too. */
export function anthropicVersionProblem(version: string | undefined): DialectError | undefined {
  if (ANTHROPIC_VERSIONS.some((known) => known === version)) return undefined
  const what = version === undefined ? 'is required' : `\`${version.slice(0, 64)}\` is not known`
  return {
    status: 400,
    message: `The header \`anthropic-version\` ${what}: it can be ${ANTHROPIC_VERSIONS.join(' or ')}.`,
    type: 'invalid_request_error',
    code: 'unsupported_version',
    param: 'anthropic-version',
  }
}
