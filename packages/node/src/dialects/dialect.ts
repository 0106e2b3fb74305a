import {
  type DialectError,
  INFERENCE_PATHS,
  type InferenceRoute,
  type IntentProblem,
  type RequestIntent,
  readIntent,
} from '@assay/protocol'
import type { AnswerEvent, Feature, Usage, Work } from '../engines/engine.ts'
import type { Answer } from './answer.ts'
import { nameOf } from './fields.ts'
import { mustNotBeIgnored } from './ignored.ts'
import { badRequest, Refusal } from './refusal.ts'

/** What a reader must know of a model. */
export type ModelFacts = {
  contextLength: number
  features: ReadonlySet<Feature>
  native: ReadonlySet<InferenceRoute>
  betas?: ReadonlySet<string> | undefined
  ignores?: ReadonlySet<string> | undefined
}

/** What stands at the head of an answer. */
export type AnswerHead = { id: string; created: number; model: string }

/** Writes the bytes of one answer; no I/O. */
export type AnswerWriter = {
  /** The whole answer, from the steps that were collected. */
  whole: (answer: Answer, usage: Usage) => Uint8Array
  stream: () => StreamWriter
}

export type StreamWriter = {
  /** What precedes the first step. */
  open: (inputUnits: number | undefined) => string
  event: (event: AnswerEvent, outputUnits: number) => string
  /** What stands between the last step and the terminal event. */
  close: (usage: Usage) => string
  /**
   * What stands there instead where the client had heard enough and the steps are another's events, which end with him.
   * @param said what went out so far
   */
  cut?: (said: string, usage: Usage) => string
  /** The terminal event; asked for once, after `close` or `cut`. */
  terminal: () => string
  /** What tells of a failure in the middle, and the terminal event after it. */
  fail: (error: DialectError) => { event: string; terminal: string }
}

/** A request that was read and checked. */
export type Reading = {
  intent: RequestIntent
  work: Work
  answer: (head: AnswerHead) => AnswerWriter
}

export type Dialect = {
  route: InferenceRoute
  /** Prefix of an answer's id, as clients expect it. */
  idPrefix: string
  read: (
    body: Uint8Array,
    headers: Record<string, string>,
    model: (name: string) => ModelFacts | undefined,
  ) => Reading | { error: DialectError }
}

/** Collects what a request needs of the engine, by the member that asks for it. */
export type Needs = (feature: Feature, param: string) => void

type Draft = Omit<Reading, 'intent'>

/**
 * Frame of every reader: what gateway and node read alike first, then the dialect's own members, then whether the
 * engine can do it.
 */
export function readRequest(
  route: InferenceRoute,
  body: Uint8Array,
  model: (name: string) => ModelFacts | undefined,
  read: (fields: Record<string, unknown>, intent: RequestIntent, needs: Needs, facts: ModelFacts) => Draft,
): Reading | { error: DialectError } {
  const found = readIntent(route, body, (name) => model(name)?.contextLength)
  if ('problem' in found) return { error: problemError(found.problem) }
  const { intent } = found
  // `readIntent` has parsed these very bytes and asked for this very model.
  const fields = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
  const facts = model(intent.model) as ModelFacts
  const needs: Needs = (feature, param) => {
    if (facts.features.has(feature)) return
    const model = `The model \`${nameOf(intent.model)}\``
    // What is asked of a model as a whole is the path's.
    const problem =
      param === 'model'
        ? badRequest(
            `${model} is not one for this path. It answers at ${pathsOf(facts).join(', ')}.`,
            param,
            'unsupported_model',
          )
        : badRequest(`${model} cannot honour \`${param}\`.`, param, 'unsupported_parameter')
    throw new Refusal(problem)
  }
  try {
    mustNotBeIgnored(fields, facts.ignores ?? [])
    return { intent, ...read(fields, intent, needs, facts) }
  } catch (error) {
    if (error instanceof Refusal) return { error: error.error }
    throw error
  }
}

/** Feature that each path needs of a model. */
const NEEDED: readonly [Feature, ...paths: string[]][] = [
  ['chat', '/v1/chat/completions', '/v1/responses', '/v1/messages'],
  ['completions', '/v1/completions'],
  ['embeddings', '/v1/embeddings'],
  ['infer', '/v1/infer'],
]

/** Paths at which a model answers. */
export function pathsOf({ features, native }: Pick<ModelFacts, 'features' | 'native'>): string[] {
  const paths = NEEDED.filter(([feature]) => features.has(feature)).flatMap(([, ...all]) => all)
  const passedOn = Object.entries(INFERENCE_PATHS).flatMap(([path, route]) =>
    native.has(route) ? [path] : [],
  )
  return [...new Set([...paths, ...passedOn])]
}

function problemError({ message, param, code }: IntentProblem): DialectError {
  return badRequest(message, param, code, code === 'model_not_found' ? 404 : 400)
}
