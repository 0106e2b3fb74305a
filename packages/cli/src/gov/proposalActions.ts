import { actionOf, type ProposalAction, readParameters, setParameter } from '@assay/chain'
import { type Network, tag } from '@assay/protocol'
import { RULE_KINDS, readRule } from '@assay/verify'
import {
  type Address,
  getAddress,
  type Hex,
  isAddress,
  isHash,
  isHex,
  type PublicClient,
  parseUnits,
} from 'viem'
import { CliError, EXIT } from '../cliError.ts'

type Context = { client: PublicClient; network: Network }
type Build = (context: Context, values: readonly string[]) => ProposalAction | Promise<ProposalAction>

/** What can be proposed: its values as the help shows them, and the call it becomes. */
export const PROPOSALS: Record<string, { values: string; build: Build }> = {
  set: { values: '<PARAMETER> <value>', build: setAction },
  'approve-hardware': {
    values: '<hardware>',
    build: ({ network }, [type]) => actionOf(network, 'TeeRegistry', 'approveHardware', [hardware(type)]),
  },
  'revoke-hardware': {
    values: '<hardware>',
    build: ({ network }, [type]) => actionOf(network, 'TeeRegistry', 'revokeHardware', [hardware(type)]),
  },
  'approve-root': {
    values: '<hardware> <root hash>',
    build: ({ network }, [type, root]) =>
      actionOf(network, 'TeeRegistry', 'approveRoot', [hardware(type), word(root, 'root hash')]),
  },
  'revoke-root': {
    values: '<hardware> <root hash>',
    build: ({ network }, [type, root]) =>
      actionOf(network, 'TeeRegistry', 'revokeRoot', [hardware(type), word(root, 'root hash')]),
  },
  'approve-measurement': {
    values: '<hardware> <measurement> <engine classes, such as 0 or 0,1>',
    build: ({ network }, [type, code, classes]) =>
      actionOf(network, 'TeeRegistry', 'approveMeasurement', [
        hardware(type),
        word(code, 'measurement'),
        engineClasses(classes),
      ]),
  },
  'revoke-measurement': {
    values: '<hardware> <measurement>',
    build: ({ network }, [type, code]) =>
      actionOf(network, 'TeeRegistry', 'revokeMeasurement', [hardware(type), word(code, 'measurement')]),
  },
  'set-rule': {
    values: '<hardware> <rule> <value>',
    build: ({ network }, [type = '', rule, value]) =>
      actionOf(network, 'TeeRegistry', 'setRule', [hardware(type), ruleName(type, rule), ruleValue(value)]),
  },
  'revoke-key': {
    values: '<key address>',
    build: ({ network }, [key]) => actionOf(network, 'TeeRegistry', 'revokeKey', [account(key)]),
  },
  'appoint-guardian': {
    values: '<address>',
    build: ({ network }, [guardian]) => actionOf(network, 'Guardian', 'appoint', [account(guardian)]),
  },
  'list-reserve': {
    values: '<address> <OPG>',
    build: ({ network }, [reserve, amount]) =>
      actionOf(network, 'SupplyView', 'listReserve', [account(reserve), opg(amount)]),
  },
  call: {
    values: '<target> <calldata>',
    build: (_context, [target, data]) => ({ target: account(target), value: 0n, data: bytes(data) }),
  },
}

/** What the words after `assay gov propose` ask for. @throws CliError */
export async function proposalAction(
  context: Context,
  kind: string,
  values: readonly string[],
): Promise<ProposalAction> {
  const found = PROPOSALS[kind]
  if (found === undefined) {
    throw usage('This cannot be proposed.', { given: kind.slice(0, 60) }, Object.keys(PROPOSALS).join(', '))
  }
  const wanted = found.values.split('<').length - 1
  if (values.length !== wanted) {
    throw usage('The values do not fit.', { given: values.length, wanted }, `${kind} ${found.values}`)
  }
  return found.build(context, values)
}

async function setAction({ client, network }: Context, values: readonly string[]): Promise<ProposalAction> {
  const [name = '', given = ''] = values
  const parameters = await readParameters(client, network)
  const parameter = parameters.find((candidate) => candidate.name === name.toUpperCase())
  if (parameter === undefined) {
    throw usage('There is no such parameter.', { given: name.slice(0, 60) }, 'See them all: assay gov params')
  }
  const value = parameterValue(given)
  const { min, max } = parameter
  if (value < min || value > max) {
    throw usage(
      'The contract would refuse this value whatever the vote.',
      { parameter: parameter.name, value, min, max },
      'Its bounds were fixed at deployment.',
    )
  }
  return setParameter(network, parameter.name, value)
}

const SECONDS: Record<string, bigint> = { s: 1n, m: 60n, h: 3600n, d: 86_400n }

/** `90`, `36h`, `20%`, `1000 OPG`: in the parameter's own unit. */
function parameterValue(given: string): bigint {
  const match = /^([0-9]{1,30})(?:\.([0-9]{1,18}))? ?(s|m|h|d|%|opg)?$/i.exec(given)
  const [, whole = '', fraction = '', unitGiven = ''] = match ?? []
  const unit = unitGiven.toLowerCase()
  if (match !== null) {
    if (unit === 'opg') return parseUnits(`${whole}.${fraction || '0'}`, 18)
    if (unit === '%' && fraction.length <= 2) return parseUnits(`${whole}.${fraction || '0'}`, 2)
    if (fraction === '') return BigInt(whole) * (SECONDS[unit] ?? 1n)
  }
  throw usage('This is not a value.', { given: given.slice(0, 60) }, 'Such as 90, 36h, 3d, 20% or 1000opg.')
}

function hardware(given = ''): Hex {
  if (isHash(given)) return given
  if (/^[a-z][a-z0-9-]{0,30}$/.test(given)) return tag(given)
  throw usage(
    'This is not a hardware type.',
    { given: given.slice(0, 80) },
    'Such as nitro, or its 32-byte tag.',
  )
}

/** A rule that no verifier knows would be voted in and change nothing. */
function ruleName(type: string, given = ''): string {
  const rule = readRule(given)
  const known = rule === undefined ? [] : (RULE_KINDS[rule.kind].hardware as readonly string[])
  if (known.includes(type)) return given
  throw usage(
    'This is not a rule for this hardware.',
    { hardware: type.slice(0, 80), rule: given.slice(0, 80) },
    `See them all: assay gov rules ${isHash(type) ? 'snp' : type.slice(0, 30)}`,
  )
}

function ruleValue(given = ''): bigint {
  const value = /^([0-9]{1,20}|0x[0-9a-fA-F]{1,16})$/.test(given) ? BigInt(given) : -1n
  if (value >= 0n && value < 2n ** 64n) return value
  throw usage(
    'This is not a value.',
    { given: given.slice(0, 40) },
    'A whole number below 2^64; 0 is the default.',
  )
}

function word(given = '', what: string): Hex {
  if (isHash(given)) return given
  throw usage(`This is not a ${what}.`, { given: given.slice(0, 80) }, 'Give 0x and 64 hex digits.')
}

function account(given = ''): Address {
  if (isAddress(given, { strict: false })) return getAddress(given)
  throw usage('This is not an address.', { given: given.slice(0, 80) }, 'Give 0x and 40 hex digits.')
}

function bytes(given = ''): Hex {
  if (isHex(given) && given.length % 2 === 0) return given
  throw usage('This is not calldata.', { given: given.slice(0, 80) }, 'Give 0x and whole bytes in hex.')
}

function opg(given = ''): bigint {
  if (/^[0-9]{1,10}(\.[0-9]{1,18})?$/.test(given)) return parseUnits(given, 18)
  throw usage('This is not an amount of OPG.', { given: given.slice(0, 80) }, 'Such as 30000000 or 0.5.')
}

function engineClasses(given = ''): number {
  const classes = given.split(',').map((text) => (/^[0-7]$/.test(text) ? Number(text) : Number.NaN))
  if (classes.some(Number.isNaN)) {
    throw usage('These are not engine classes.', { given: given.slice(0, 40) }, 'Such as 0, or 0,1 for both.')
  }
  return classes.reduce((bits, engineClass) => bits | (1 << engineClass), 0)
}

function usage(message: string, facts: Record<string, unknown>, next: string): CliError {
  return new CliError(message, { exitCode: EXIT.usage, code: 'usage', facts, next })
}
