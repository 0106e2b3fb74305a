import { errorEvent } from '@assay/protocol'
import type { CompletionWork, TokenLogprob, Usage } from '../../engines/engine.ts'
import { textOf } from '../answer.ts'
import {
  type AnswerHead,
  type AnswerWriter,
  type Dialect,
  readRequest,
  type StreamWriter,
} from '../dialect.ts'
import { arrayAt, integerAt, isEmptyObject, knownMembers, optional, textAt } from '../fields.ts'
import { nativeDraft } from '../native.ts'
import { refuse } from '../refusal.ts'
import { includeUsageAt, SAMPLING_MEMBERS, settingsAt } from './settings.ts'
import { DONE, usageJson } from './writeChat.ts'

const MAX_PROMPTS = 256
/** Most alternatives per token: OpenAI's own limit for this dialect. */
const MAX_LOGPROBS = 5

const HONOURED = [
  'model',
  'stream',
  'max_tokens',
  'prompt',
  'stream_options',
  'logprobs',
  ...SAMPLING_MEMBERS,
]

const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  echo: (value) => value === false,
  suffix: (value) => value === '',
  best_of: (value) => value === 1,
  logit_bias: isEmptyObject,
  user: (value) => typeof value === 'string' && value.length <= 256,
}

/** OpenAI's `POST /v1/completions`: texts continued as they stand. */
export const openaiCompletions: Dialect = {
  route: 'completions',
  idPrefix: 'cmpl-',
  read: (body, headers, model) =>
    readRequest('completions', body, model, (fields, intent, needs, facts) => {
      if (facts.native.has('completions')) return nativeDraft('completions', fields, intent, headers)
      needs('completions', 'model')
      const given = knownMembers(fields, HONOURED, NEUTRAL)
      const logprobs = optional(given, 'logprobs', (value, param) => integerAt(value, param, 0, MAX_LOGPROBS))
      if (logprobs !== undefined) needs('logprobs', 'logprobs')
      const work: CompletionWork = {
        kind: 'completion',
        prompts: textsAt(given.prompt, 'prompt'),
        settings: {
          ...settingsAt(given, intent, needs),
          ...(logprobs === undefined ? {} : { logprobs }),
        },
      }
      const includeUsage = includeUsageAt(given, intent)
      return { work, answer: (head) => completionsWriter(head, includeUsage) }
    }),
}

/** One text or several; token numbers belong to a tokenizer that the model may not have. */
export function textsAt(value: unknown, param: string): string[] {
  if (typeof value === 'string') return [textAt(value, param)]
  if (!Array.isArray(value))
    refuse(`\`${param}\` must be a string or an array of strings.`, param, 'invalid_type')
  if (typeof value[0] === 'number' || Array.isArray(value[0])) {
    refuse(`\`${param}\` must be text: token numbers are not supported.`, param, 'unsupported_value')
  }
  return arrayAt(value, param, MAX_PROMPTS).map((entry, at) => textAt(entry, `${param}[${at}]`))
}

/** Columns of log-probabilities, as this older dialect has them. */
function logprobsJson(entries: readonly TokenLogprob[] | undefined, offset: number): unknown {
  if (entries === undefined) return null
  let at = offset
  return {
    tokens: entries.map(({ token }) => token),
    token_logprobs: entries.map(({ logprob }) => logprob),
    top_logprobs: entries.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: entries.map(({ token }) => {
      at += token.length
      return at - token.length
    }),
  }
}

function completionsWriter(head: AnswerHead, includeUsage: boolean): AnswerWriter {
  return {
    whole({ choices }, usage) {
      const body = {
        id: head.id,
        object: 'text_completion',
        created: head.created,
        model: head.model,
        choices: choices.map((choice, index) => ({
          index,
          text: textOf(choice),
          logprobs: logprobsJson(choice.logprobs, 0),
          finish_reason: choice.finish,
        })),
        usage: usageJson(usage),
      }
      return new TextEncoder().encode(JSON.stringify(body))
    },
    stream: () => completionsStream(head, includeUsage),
  }
}

function completionsStream(head: AnswerHead, includeUsage: boolean): StreamWriter {
  /** Characters of each choice's tokens so far, where its next token stands: text may be out before its token is. */
  const lengths = new Map<number, number>()
  const chunk = (choices: unknown[], usage?: Usage): string =>
    `data: ${JSON.stringify({
      id: head.id,
      object: 'text_completion',
      created: head.created,
      model: head.model,
      choices,
      ...(includeUsage ? { usage: usage === undefined ? null : usageJson(usage) } : {}),
    })}\n\n`
  return {
    open: () => '',
    event(event) {
      if (event.type === 'text') {
        const { choice: index, text } = event
        const offset = lengths.get(index) ?? 0
        const spelled = event.logprobs?.reduce((length, { token }) => length + token.length, 0) ?? 0
        lengths.set(index, offset + spelled)
        const logprobs = logprobsJson(event.logprobs, offset)
        return chunk([{ index, text, logprobs, finish_reason: null }])
      }
      if (event.type !== 'finish') return ''
      return chunk([{ index: event.choice, text: '', logprobs: null, finish_reason: event.reason }])
    },
    close: (usage) => (includeUsage ? chunk([], usage) : ''),
    terminal: () => DONE,
    fail: (error) => ({ event: errorEvent(error, '/v1/completions'), terminal: DONE }),
  }
}
