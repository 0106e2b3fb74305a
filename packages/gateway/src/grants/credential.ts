import type { IncomingHttpHeaders } from 'node:http'
import { API_KEY_PREFIX, apiKeyHash, isApiKey, type SpendingGrant } from '@assay/protocol'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { REVOKED_KEY, UNKNOWN_KEY } from './refusals.ts'

/** Whose calls a request's key pays for. */
export type Credential = { grantId: Hex; grant: SpendingGrant; keyHash: Hex }

/** Keys that a request carries, as OpenAI's clients (a bearer token) or Anthropic's (`x-api-key`) send them. */
function keysIn(headers: IncomingHttpHeaders): string[] {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  return [headers['x-api-key'], bearer].flat().filter((key) => key !== undefined)
}

const isOurs = (key: string): boolean => key.startsWith(API_KEY_PREFIX)

/** Whether there are keys, but none of ours; what they are is nobody's business here. */
export function carriesForeignKey(headers: IncomingHttpHeaders): boolean {
  const keys = keysIn(headers)
  return keys.length > 0 && !keys.some(isOurs)
}

/**
 * The grant behind a request's key; undefined for a request without a key of ours, which pays otherwise.
 * @throws RefusedError 401 for a key that is unknown or was revoked
 */
export async function credentialOf(
  context: Context,
  headers: IncomingHttpHeaders,
): Promise<Credential | undefined> {
  const key = keysIn(headers).find(isOurs)
  if (key === undefined) return undefined
  const keyHash = isApiKey(key) ? apiKeyHash(key) : undefined
  const known = keyHash === undefined ? undefined : await context.keys.find(keyHash)
  if (keyHash === undefined || known === undefined) throw refused(context, UNKNOWN_KEY)
  if (known.revoked) throw refused(context, REVOKED_KEY)
  return { grantId: known.grantId, keyHash, grant: known.grant }
}

function refused({ metrics }: Pick<Context, 'metrics'>, refusal: DialectError): RefusedError {
  metrics.count('refused_total', refusal.code)
  return new RefusedError(refusal)
}
