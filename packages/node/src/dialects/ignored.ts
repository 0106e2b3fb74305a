import { type Fields, isEmptyArray, isEmptyObject, isObject } from './fields.ts'
import { refuse } from './refusal.ts'

/** Values that ask for what happens anyway, so that nothing is lost where a server drops them. Clients send some unasked. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: isEmptyObject,
  tools: isEmptyArray,
  tool_choice: (value) => value === 'auto' || (isObject(value) && value.type === 'auto'),
  parallel_tool_calls: (value) => value === true,
  response_format: (value) => isObject(value) && value.type === 'text',
}

/**
 * Some servers take members of their dialect that they then drop, and answer another question than was asked; which,
 * only their operator knows. @throws Refusal that names the member
 */
export function mustNotBeIgnored(fields: Fields, ignores: Iterable<string>): void {
  for (const name of ignores) {
    const value = Object.hasOwn(fields, name) ? fields[name] : null
    if (value === null || (Object.hasOwn(NEUTRAL, name) && NEUTRAL[name]?.(value))) continue
    refuse(`\`${name}\` would be dropped by the server of this model.`, name, 'unsupported_parameter')
  }
}
