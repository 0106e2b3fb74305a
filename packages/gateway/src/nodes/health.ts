import type { Address } from 'viem'

/** Longest health answer that is read, bytes. */
export const MAX_HEALTH_BYTES = 64 * 1024
const MAX_MODELS = 1024

/** How a node serves one model. */
export type Offer = {
  /** Modes of verification that its answers can have; undefined where it does not say. */
  modes: readonly string[] | undefined
  /** Paths at which it answers for the model; undefined where it does not say. */
  paths: readonly string[] | undefined
  /** Key that signs, lower case, and what it claims to be the key of; undefined where it does not say. */
  key: Address | undefined
  engineClass: number | undefined
}

/** What is used of a node's GET /health; everything else in it is ignored. */
export type Health = {
  /** Lower case; undefined where it does not say. */
  operator: Address | undefined
  confidentialKeys: ReadonlySet<string>
  /** By the model's name. */
  offers: ReadonlyMap<string, Offer>
  /** Requests that it is answering or has waiting. */
  queued: number
}

/** @returns undefined for what is not the health of a node. @throws SyntaxError where it is no JSON */
export function readHealth(text: string): Health | undefined {
  const value = JSON.parse(text) as Record<string, unknown> | null
  if (typeof value !== 'object' || value === null || !Array.isArray(value.models)) return undefined
  const queue = value.queue as { running?: unknown; waiting?: unknown } | undefined
  const queued = Number(queue?.running ?? 0) + Number(queue?.waiting ?? 0)
  const keys = Array.isArray(value.confidentialKeys) ? value.confidentialKeys.slice(0, 8) : []
  const offers = new Map<string, Offer>()
  for (const model of value.models.slice(0, MAX_MODELS) as Record<string, unknown>[]) {
    if (typeof model?.name === 'string') offers.set(model.name, offerFrom(model))
  }
  return {
    operator: addressFrom(value.operator),
    confidentialKeys: new Set(keys.filter((key) => typeof key === 'string').map((key) => key.toLowerCase())),
    offers,
    queued: Number.isFinite(queued) ? queued : 0,
  }
}

function offerFrom({ modes, paths, key, engineClass }: Record<string, unknown>): Offer {
  return {
    modes: textsFrom(modes, 8),
    paths: textsFrom(paths, 16),
    key: addressFrom(key),
    engineClass: Number.isInteger(engineClass) ? (engineClass as number) : undefined,
  }
}

function textsFrom(value: unknown, most: number): string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.slice(0, most).filter((text): text is string => typeof text === 'string')
}

function addressFrom(value: unknown): Address | undefined {
  return typeof value === 'string' && /^0x[0-9a-fA-F]{40}$/.test(value)
    ? (value.toLowerCase() as Address)
    : undefined
}
