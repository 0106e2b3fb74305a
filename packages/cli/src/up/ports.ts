import { createServer } from 'node:net'
import { DEVELOPMENT_ROLES } from '@assay/chain'
import { InvalidArgumentError } from 'commander'
import { CliError, EXIT } from '../cliError.ts'

export const VALIDATOR_COUNT = 3

/** Inference nodes that there are development accounts for. */
const MAX_NODES = 1 + DEVELOPMENT_ROLES.moreNodes.length

/** Where each port can be set. */
export type PortName = 'chain' | 'gateway' | 'node' | 'validator'
/**
 * Ports of a local network, and how many nodes it has: these take `node`, `node` + 1, …, validators `validator`,
 * `validator` + 1, …
 */
export type Ports = Record<PortName, number> & { nodes: number }

export const NODES_SETTING = { option: '--nodes', variable: 'ASSAY_NODE_COUNT', standard: 1 } as const

/** Where each port can be set, and what it is by default (DESIGN §7). */
export const PORT_SETTINGS = {
  chain: { option: '--chain-port', variable: 'ASSAY_CHAIN_PORT', standard: 8545 },
  gateway: { option: '--gateway-port', variable: 'ASSAY_GATEWAY_PORT', standard: 4020 },
  node: { option: '--node-port', variable: 'ASSAY_NODE_PORT', standard: 4030 },
  validator: { option: '--validator-port', variable: 'ASSAY_VALIDATOR_PORT', standard: 4040 },
} as const satisfies Record<PortName, { option: string; variable: string; standard: number }>

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535 - VALIDATOR_COUNT) {
    throw new InvalidArgumentError(`A port is a number from 1 to ${65_535 - VALIDATOR_COUNT}.`)
  }
  return port
}

export function parseNodes(text: string): number {
  const count = Number(text)
  if (!/^[0-9]{1,2}$/.test(text) || count < 1 || count > MAX_NODES) {
    throw new InvalidArgumentError(`A development network has 1 to ${MAX_NODES} nodes.`)
  }
  return count
}

/** Ports from options, else the environment, else the defaults. @throws CliError on a clash or a bad variable. */
export function portsFrom(options: Partial<Ports>, environment: NodeJS.ProcessEnv): Ports {
  const pick = (name: PortName): number => {
    const given = options[name]
    if (given !== undefined) return given
    const { variable, standard } = PORT_SETTINGS[name]
    const text = environment[variable]
    if (text === undefined || text === '') return standard
    try {
      return parsePort(text)
    } catch {
      throw usage(`${variable} is not a port.`, { [variable]: text })
    }
  }
  const ports = {
    chain: pick('chain'),
    gateway: pick('gateway'),
    node: pick('node'),
    validator: pick('validator'),
    nodes: options.nodes ?? nodesFrom(environment),
  }
  const all = portsOfServers(ports)
  for (const [index, { port, name }] of all.entries()) {
    const other = all.findIndex((entry) => entry.port === port)
    if (other !== index)
      throw usage('Two servers were given one port.', { port, servers: `${all[other]?.name}, ${name}` })
  }
  return ports
}

function nodesFrom(environment: NodeJS.ProcessEnv): number {
  const text = environment[NODES_SETTING.variable]
  if (text === undefined || text === '') return NODES_SETTING.standard
  try {
    return parseNodes(text)
  } catch {
    throw usage(`${NODES_SETTING.variable} is not a number of nodes.`, { [NODES_SETTING.variable]: text })
  }
}

function usage(message: string, facts: Record<string, unknown>): CliError {
  return new CliError(message, { exitCode: EXIT.usage, code: 'bad_port', facts, next: 'assay up --help' })
}

/** Every server that listens, with its port: whoever looks at ports looks at these. */
export function portsOfServers(ports: Ports): { name: string; setting: PortName; port: number }[] {
  return [
    { name: 'chain', setting: 'chain', port: ports.chain },
    { name: 'gateway', setting: 'gateway', port: ports.gateway },
    ...Array.from({ length: ports.nodes }, (_, at) => ({
      name: nodeName(at),
      setting: 'node' as const,
      port: ports.node + at,
    })),
    ...Array.from({ length: VALIDATOR_COUNT }, (_, at) => ({
      name: `validator ${at + 1}`,
      setting: 'validator' as const,
      port: ports.validator + at,
    })),
  ]
}

/** The first has no number, so that a network of one reads as ever. */
export const nodeName = (at: number): string => (at === 0 ? 'node' : `node ${at + 1}`)

/** @throws CliError naming the first port that something else holds, and how to choose another. */
export async function mustBeFree(ports: Ports): Promise<void> {
  for (const { name, setting, port } of portsOfServers(ports)) {
    const taken = await portTaken(port)
    if (taken === undefined) continue
    const { option, variable } = PORT_SETTINGS[setting]
    throw new CliError(`Port ${port} (${name}) cannot be used: ${taken}.`, {
      exitCode: EXIT.failed,
      code: 'port_taken',
      facts: { port, server: name },
      next: `Stop what uses it, or choose another: assay up ${option} <port>   (or ${variable}=<port>)`,
    })
  }
}

/** Why a port cannot be listened on; undefined if it can. */
export function portTaken(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'EADDRINUSE' ? 'another program listens there' : (error.code ?? error.message))
    })
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(undefined)))
  })
}
