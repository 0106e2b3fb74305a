import { ANTHROPIC_VERSIONS, anthropicVersionProblem, type RequestIntent } from '@assay/protocol'
import type { ChatWork, TextFormat, Tool, ToolChoice } from '../../engines/engine.ts'
import { type Dialect, type ModelFacts, type Needs, readRequest } from '../dialect.ts'
import {
  arrayAt,
  booleanAt,
  type Fields,
  integerAt,
  isObject,
  knownMembers,
  numberAt,
  objectAt,
  onlyMembers,
  optional,
  saysOnly,
  textAt,
} from '../fields.ts'
import { nativeDraft } from '../native.ts'
import { mustKeepThePrice, mustOnlyOpenMembers } from '../nativeBetas.ts'
import { Refusal, refuse } from '../refusal.ts'
import { functionNameAt, mustDiffer } from '../tools.ts'
import { anthropicMessagesAt, systemAt } from './messages.ts'
import { messagesWriter } from './writeMessages.ts'

const WITHOUT_SAMPLING = '2026-10-21'
const MAX_TOOLS = 128
const MAX_STOPS = 16
const MAX_STOP_LENGTH = 256

const HONOURED = [
  ...['model', 'stream', 'max_tokens', 'messages', 'system', 'temperature', 'top_p', 'top_k'],
  ...['stop_sequences', 'tools', 'tool_choice', 'output_config'],
]

const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  thinking: (value) =>
    isObject(value) && 'type' in value && saysOnly(value, 'type', (type) => type === 'disabled'),
  // Names the end user to the operator's abuse desk; there is nothing to do with it here.
  metadata: (value) => saysOnly(value, 'user_id', (id) => typeof id === 'string'),
  service_tier: (value) => value === 'auto' || value === 'standard_only',
  // A discount that is not given; usage says so.
  cache_control: isObject,
  speed: (value) => value === 'standard',
}

const TOOL_MEMBERS = [
  ...['type', 'name', 'description', 'input_schema', 'strict', 'cache_control', 'eager_input_streaming'],
]

/** Anthropic's `POST /v1/messages`. */
export const anthropicMessages: Dialect = {
  route: 'messages',
  idPrefix: 'msg_',
  read: (body, headers, model) =>
    readRequest('messages', body, model, (fields, intent, needs, facts) => {
      checkVersion(headers, fields)
      mustBringItsHistory(fields)
      if (facts.native.has('messages')) return nativeOf(fields, intent, headers, facts)
      return { work: workOf(fields, intent, needs, headers), answer: messagesWriter }
    }),
}

/** Anthropic's `POST /v1/messages/count_tokens`: the same request without a limit, read for its length. */
export function readCount(
  body: Uint8Array,
  headers: Record<string, string>,
  model: (name: string) => ModelFacts | undefined,
): ReturnType<Dialect['read']> {
  return readRequest('count_tokens', body, model, (fields, intent, needs, facts) => {
    checkVersion(headers, fields)
    for (const name of ['max_tokens', 'stream']) {
      if (fields[name] === undefined || fields[name] === null) continue
      refuse(`\`${name}\` has no place in counting.`, name, 'unsupported_parameter')
    }
    if (facts.native.has('messages')) return nativeOf(fields, intent, headers, facts)
    return { work: workOf(fields, intent, needs, headers), answer: messagesWriter }
  })
}

function nativeOf(
  fields: Fields,
  intent: RequestIntent,
  headers: Record<string, string>,
  facts: ModelFacts,
): ReturnType<typeof nativeDraft> {
  mustKeepThePrice(fields, headers, facts.betas)
  return nativeDraft('messages', fields, intent, headers)
}

/**
 * A thread would be kept here and continued by the id of its last answer. This code is what Anthropic's tool runners,
 * which begin with a thread, wait for to send the whole conversation instead (`thread_unsupported_request` in their SDKs).
 */
function mustBringItsHistory({ thread }: Fields): void {
  if (thread === undefined || thread === null) return
  const message =
    '`thread` is not supported: nothing is kept here. Send all of `messages` with every request.'
  refuse(message, 'thread', 'thread_unsupported_request')
}

/** The version decides what a body means; Anthropic's API demands it too. */
function checkVersion(headers: Record<string, string>, fields: Fields): void {
  const version = headers['anthropic-version']
  const problem = anthropicVersionProblem(version)
  if (problem !== undefined) throw new Refusal(problem)
  if (version !== WITHOUT_SAMPLING) return
  for (const name of ['temperature', 'top_p', 'top_k']) {
    if (fields[name] === undefined || fields[name] === null) continue
    const message = `\`${name}\` is no parameter of version ${version}; send anthropic-version ${ANTHROPIC_VERSIONS[0]} to use it.`
    refuse(message, name, 'unsupported_parameter')
  }
}

function workOf(
  fields: Fields,
  intent: RequestIntent,
  needs: Needs,
  headers: Record<string, string>,
): ChatWork {
  needs('chat', 'model')
  mustOnlyOpenMembers(headers)
  const given = knownMembers(fields, HONOURED, NEUTRAL)
  const tools = optional(given, 'tools', (value) => toolsAt(value, needs)) ?? []
  const { choice, parallel } = toolChoiceAt(given.tool_choice, tools)
  const number = (name: string, feature: Parameters<Needs>[0], most: number): number | undefined => {
    const value = optional(given, name, (member, param) => numberAt(member, param, 0, most))
    if (value !== undefined) needs(feature, name)
    return value
  }
  const topK = optional(given, 'top_k', (value, param) => integerAt(value, param, 0, 1_000_000))
  if (topK !== undefined) needs('top_k', 'top_k')
  return {
    kind: 'chat',
    messages: [...systemAt(given.system), ...anthropicMessagesAt(given.messages, needs)],
    tools,
    toolChoice: choice,
    parallelTools: parallel,
    format: formatAt(given.output_config, needs),
    settings: {
      sampling: {
        temperature: number('temperature', 'sampling', 1),
        topP: number('top_p', 'sampling', 1),
        topK,
      },
      maxTokens: intent.maxOutputEach,
      stop: optional(given, 'stop_sequences', stopsAt) ?? [],
      choices: 1,
    },
  }
}

function stopsAt(value: unknown, param: string): string[] {
  return arrayAt(value, param, MAX_STOPS).map((entry, at) => {
    const text = textAt(entry, `${param}[${at}]`, MAX_STOP_LENGTH)
    if (text === '') refuse(`\`${param}[${at}]\` must not be empty.`, `${param}[${at}]`)
    return text
  })
}

function toolsAt(value: unknown, needs: Needs): Tool[] {
  const tools = arrayAt(value, 'tools', MAX_TOOLS).map((entry, at): Tool => {
    const place = `tools[${at}]`
    const tool = objectAt(entry, place)
    if (tool.type !== undefined && tool.type !== null && tool.type !== 'custom') {
      refuse(`\`${place}.type\` must be "custom".`, `${place}.type`, 'unsupported_value')
    }
    onlyMembers(tool, TOOL_MEMBERS, place)
    // Arguments are streamed as they are made, whether asked for or not.
    optional(tool, 'eager_input_streaming', booleanAt, place)
    return {
      name: functionNameAt(tool.name, `${place}.name`),
      description: optional(tool, 'description', textAt, place),
      parameters: objectAt(tool.input_schema, `${place}.input_schema`),
      strict: optional(tool, 'strict', booleanAt, place) ?? false,
      place: `${place}.input_schema`,
    }
  })
  if (tools.length > 0) needs('tools', 'tools')
  mustDiffer(tools)
  return tools
}

function toolChoiceAt(value: unknown, tools: readonly Tool[]): { choice: ToolChoice; parallel: boolean } {
  if (value === undefined) return { choice: 'auto', parallel: true }
  const given = objectAt(value, 'tool_choice')
  const named = given.type === 'tool' ? ['name'] : []
  onlyMembers(given, ['type', ...named, 'disable_parallel_tool_use'], 'tool_choice')
  const parallel = optional(given, 'disable_parallel_tool_use', booleanAt, 'tool_choice') !== true
  if (given.type === 'none' || given.type === 'auto') return { choice: given.type, parallel }
  if (tools.length === 0) refuse('`tool_choice` is only allowed with `tools`.', 'tool_choice')
  if (given.type === 'any') return { choice: 'required', parallel }
  if (given.type !== 'tool') refuse('`tool_choice.type` must be auto, any, tool or none.', 'tool_choice.type')
  const name = textAt(given.name, 'tool_choice.name')
  if (!tools.some((tool) => tool.name === name))
    refuse('`tool_choice` names none of `tools`.', 'tool_choice.name')
  return { choice: { name }, parallel }
}

function formatAt(value: unknown, needs: Needs): TextFormat {
  if (value === undefined) return { type: 'text' }
  const config = objectAt(value, 'output_config')
  onlyMembers(config, ['format'], 'output_config')
  const place = 'output_config.format'
  const format = optional(config, 'format', objectAt, 'output_config')
  if (format === undefined) return { type: 'text' }
  if (format.type !== 'json_schema') refuse(`\`${place}.type\` must be json_schema.`, `${place}.type`)
  onlyMembers(format, ['type', 'schema'], place)
  needs('json', place)
  const schema = objectAt(format.schema, `${place}.schema`)
  return { type: 'json_schema', name: 'answer', schema, strict: true, place: `${place}.schema` }
}
