import type { DialectError } from '@assay/protocol'
import { readCount } from '../dialects/anthropic/readMessages.ts'
import { EngineError } from '../engines/engine.ts'
import { AWAITS_KEY, anthropicHeaders, factsOf, prepare, unavailable } from './admit.ts'
import type { RawRequest } from './rawRequest.ts'
import type { ServedModel } from './servedModel.ts'

/** Answers Anthropic's count_tokens. Nothing is generated, so nothing is paid or signed. */
export async function countTokens(
  raw: RawRequest,
  models: ReadonlyMap<string, ServedModel>,
  signal: AbortSignal,
): Promise<{ input_tokens: number } | { error: DialectError }> {
  const reading = readCount(raw.body, anthropicHeaders(raw), (name) => factsOf(models.get(name)))
  if ('error' in reading) return reading
  const served = models.get(reading.intent.model) as ServedModel
  const prepared = prepare(reading, 'count_tokens', served)
  if ('error' in prepared) return prepared
  if (prepared.inputUnits !== undefined) return { input_tokens: prepared.inputUnits }
  const { countTokens: count } = served.engine
  if (count === undefined) {
    return { error: { ...unavailable('This model cannot count tokens ahead.', 'cannot_count'), status: 501 } }
  }
  if (served.engine.isReady?.() === false) return { error: AWAITS_KEY }
  try {
    return { input_tokens: await count(reading.work, signal) }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { status, message, code, param } = error
    return {
      error: { status, message, type: status < 500 ? 'invalid_request_error' : 'server_error', code, param },
    }
  }
}
