/** Requests to the readers of the dialects, without a server. */
import assert from 'node:assert/strict'
import { DIALECTS } from '../src/dialects/dialects.ts'
import type { Feature } from '../src/engines/engine.ts'

export const ALL: Feature[] = [
  ...(['chat', 'completions', 'embeddings', 'tools', 'json', 'logprobs', 'choices'] as const),
  ...(['sampling', 'top_k', 'seed', 'penalties'] as const),
]
export const V1 = { 'anthropic-version': '2023-06-01' }

export function read(
  path: string,
  body: unknown,
  headers: Record<string, string> = V1,
  features: Feature[] = ALL,
) {
  const dialect = DIALECTS[path] ?? assert.fail(path)
  return dialect.read(new TextEncoder().encode(JSON.stringify(body)), headers, (name) =>
    name === 'm' ? { contextLength: 100, features: new Set(features), native: new Set() } : undefined,
  )
}

export const hello = [{ role: 'user', content: 'Hi' }]
export const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
export const tool = { name: 'f', input_schema: { type: 'object' } }
export const GOOD: Record<string, Record<string, unknown>> = {
  '/v1/messages': { model: 'm', max_tokens: 9, messages: hello },
  '/v1/completions': { model: 'm', prompt: 'Hi' },
  '/v1/embeddings': { model: 'm', input: 'Hi' },
  '/v1/responses': { model: 'm', input: 'Hi' },
}
