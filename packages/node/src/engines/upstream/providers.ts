import { SealedKey } from './sealedKey.ts'

/** A way to a model elsewhere: where, under which name, and with which key. */
export type Target = {
  provider: ProviderName
  /** Without a slash at its end. */
  baseUrl: string
  /** The upstream's own name of the model. */
  model: string
  /** Sent as the provider wants it; never logged, and never part of an error. */
  key: string | SealedKey | undefined
}

/** What is sent of a target's key. */
export function secretOf({ key }: Target): string | undefined {
  return key instanceof SealedKey ? key.value : key
}

/** Whether the key of a target is still to come: without it there is nothing to ask. */
export function awaitsKey({ key }: Target): boolean {
  return key instanceof SealedKey && key.value === undefined
}

export type UpstreamDialect = 'openai' | 'anthropic'

export const PROVIDERS = {
  openai: { baseUrl: 'https://api.openai.com/v1', dialect: 'openai' },
  anthropic: { baseUrl: 'https://api.anthropic.com/v1', dialect: 'anthropic' },
  gemini: { baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai', dialect: 'openai' },
  xai: { baseUrl: 'https://api.x.ai/v1', dialect: 'openai' },
  /** Any server that speaks OpenAI's dialect: vLLM, SGLang, Ollama, llama.cpp. */
  'openai-compatible': { baseUrl: undefined, dialect: 'openai' },
  'anthropic-compatible': { baseUrl: undefined, dialect: 'anthropic' },
} as const

export type ProviderName = keyof typeof PROVIDERS

export function dialectOf(provider: ProviderName): UpstreamDialect {
  return PROVIDERS[provider].dialect
}

/**
 * What a receipt may claim of an upstream. The addresses of the four providers are part of this code, and so of its
 * measurement, and TLS proves that it was they who answered: the enclave attests a proxy to them (1). Of a server at
 * an address that the operator chose nothing is attested (2).
 */
export function engineClassOf(provider: ProviderName): 1 | 2 {
  return PROVIDERS[provider].baseUrl === undefined ? 2 : 1
}

/** How a provider wants to be asked. */
export function headersFor(target: Target, more: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    // What came compressed would have to be unpacked before it is signed.
    'accept-encoding': 'identity',
    ...more,
  }
  if (dialectOf(target.provider) === 'anthropic') headers['anthropic-version'] ??= '2023-06-01'
  const secret = secretOf(target)
  if (secret === undefined) return headers
  if (dialectOf(target.provider) === 'anthropic') headers['x-api-key'] = secret
  else headers.authorization = `Bearer ${secret}`
  return headers
}
