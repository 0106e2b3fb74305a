import type { TextFormat, Tool, ToolChoice } from '../../engines/engine.ts'
import type { Needs } from '../dialect.ts'
import { arrayAt, booleanAt, type Fields, objectAt, onlyMembers, optional, textAt } from '../fields.ts'
import { refuse } from '../refusal.ts'
import { functionNameAt, mustDiffer } from '../tools.ts'

const MAX_TOOLS = 128
/** Arguments of a function that names none. */
const NO_PARAMETERS = { type: 'object', properties: {}, additionalProperties: false }

/** A function as both of OpenAI's dialects describe it. */
export function functionAt(definition: Fields, place: string): Tool {
  const parameters = optional(definition, 'parameters', objectAt, place)
  return {
    name: functionNameAt(definition.name, `${place}.name`),
    description: optional(definition, 'description', textAt, place),
    parameters: parameters ?? NO_PARAMETERS,
    strict: optional(definition, 'strict', booleanAt, place) ?? false,
    place: `${place}.parameters`,
  }
}

/** `tools` of chat/completions. @throws Refusal */
export function chatToolsAt(value: unknown, needs: Needs): Tool[] {
  const tools = arrayAt(value, 'tools', MAX_TOOLS).map((entry, at) => {
    const place = `tools[${at}]`
    const tool = objectAt(entry, place)
    if (tool.type !== 'function')
      refuse(`\`${place}.type\` must be "function".`, `${place}.type`, 'unsupported_value')
    onlyMembers(tool, ['type', 'function'], place)
    const definition = objectAt(tool.function, `${place}.function`)
    onlyMembers(definition, ['name', 'description', 'parameters', 'strict'], `${place}.function`)
    return functionAt(definition, `${place}.function`)
  })
  if (tools.length > 0) needs('tools', 'tools')
  mustDiffer(tools)
  return tools
}

/** `tool_choice`. @param isFlat the function's name stands beside the type, as responses write it */
export function toolChoiceAt(value: unknown, tools: readonly Tool[], isFlat: boolean): ToolChoice {
  if (value === undefined || value === null) return 'auto'
  if (value === 'auto' || value === 'none') return value
  if (tools.length === 0) refuse('`tool_choice` is only allowed with `tools`.', 'tool_choice')
  if (value === 'required') return value
  const choice = objectAt(value, 'tool_choice')
  if (choice.type !== 'function') {
    refuse(
      '`tool_choice` must be "auto", "none", "required" or a function.',
      'tool_choice',
      'unsupported_value',
    )
  }
  onlyMembers(choice, ['type', isFlat ? 'name' : 'function'], 'tool_choice')
  const place = isFlat ? 'tool_choice' : 'tool_choice.function'
  const target = isFlat ? choice : objectAt(choice.function, place)
  if (!isFlat) onlyMembers(target, ['name'], place)
  const name = textAt(target.name, `${place}.name`)
  if (!tools.some((tool) => tool.name === name)) refuse('`tool_choice` names none of `tools`.', 'tool_choice')
  return { name }
}

/** `response_format`, or `text.format` of responses, where the schema stands beside the type. */
export function textFormatAt(value: unknown, place: string, needs: Needs, isFlat: boolean): TextFormat {
  const format = objectAt(value, place)
  if (format.type === 'text') {
    onlyMembers(format, ['type'], place)
    return { type: 'text' }
  }
  needs('json', place)
  if (format.type === 'json_object') {
    onlyMembers(format, ['type'], place)
    return { type: 'json_object', place }
  }
  if (format.type !== 'json_schema') {
    refuse(
      `\`${place}.type\` must be text, json_object or json_schema.`,
      `${place}.type`,
      'unsupported_value',
    )
  }
  const inside = isFlat ? place : `${place}.json_schema`
  const members = isFlat ? format : objectAt(format.json_schema, inside)
  onlyMembers(members, ['name', 'description', 'schema', 'strict', ...(isFlat ? ['type'] : [])], inside)
  if (!isFlat) onlyMembers(format, ['type', 'json_schema'], place)
  return {
    type: 'json_schema',
    name: functionNameAt(members.name, `${inside}.name`),
    schema: objectAt(members.schema, `${inside}.schema`),
    strict: optional(members, 'strict', booleanAt, inside) ?? false,
    place: `${inside}.schema`,
  }
}
