import type { AssayFetchOptions } from './assayFetch.ts'
import type { CallParameters, Wait } from './call.ts'
import { SdkError } from './errors.ts'

const WAITS: Readonly<Record<Wait, true>> = { answer: true, settled: true, final: true }

/** What every call takes beside the members of its body. */
const OF_EVERY_CALL: Readonly<Record<keyof CallParameters, true>> = {
  extra: true,
  verification: true,
  valueAtRisk: true,
  settlement: true,
  idempotencyKey: true,
  onPaid: true,
  onVerified: true,
  wait: true,
  waitMilliseconds: true,
  signal: true,
}

const OPTIONS: Readonly<Record<keyof AssayFetchOptions, true>> = {
  network: true,
  networkPath: true,
  privateKey: true,
  apiKey: true,
  maxPerCall: true,
  spending: true,
  fallbacks: true,
  scheme: true,
  buffer: true,
  confidential: true,
  onAnswer: true,
  onUnverified: true,
  chain: true,
}

/** A limit of spending under a name that is none would be no limit. @throws SdkError `bad_input` */
export function mustBeOptions(options: AssayFetchOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(OPTIONS, name)) continue
    throw new SdkError(`\`${name.slice(0, 64)}\` is no option of this client.`, {
      code: 'bad_input',
      next: `Options are: ${Object.keys(OPTIONS).join(', ')}.`,
    })
  }
}

/**
 * The members of a request's body among a call's parameters. Types hold no program in JavaScript, and no object that was
 * put together elsewhere: what would be dropped is refused by its name, before anything is paid for an answer to another
 * question.
 * @throws SdkError `bad_input`
 */
export function bodyIn<Name extends string>(
  parameters: CallParameters & Readonly<Partial<Record<Name, unknown>>>,
  members: readonly Name[],
  others: readonly string[] = [],
): Partial<Record<Name, unknown>> {
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || Object.hasOwn(OF_EVERY_CALL, name)) continue
    if (others.includes(name) || members.some((member) => member === name)) continue
    throw new SdkError(`\`${name.slice(0, 64)}\` is no parameter of this call.`, {
      code: 'bad_input',
      next: 'A member of the request that has no name here goes into `extra`.',
    })
  }
  const { wait = 'settled' } = parameters
  if (!Object.hasOwn(WAITS, wait)) {
    const known = Object.keys(WAITS).join(', ')
    throw new SdkError(`\`wait\` can be: ${known}.`, { code: 'bad_input' })
  }
  return Object.fromEntries(members.map((name) => [name, parameters[name]])) as Partial<Record<Name, unknown>>
}
