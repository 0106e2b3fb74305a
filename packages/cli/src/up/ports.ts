import { createServer } from 'node:net'
import { InvalidArgumentError } from 'commander'
import { CliError, EXIT } from '../cliError.ts'

export const VALIDATOR_COUNT = 3

/** Ports of a local network; validators take `validator`, `validator` + 1, … */
export type Ports = { chain: number; gateway: number; node: number; validator: number }

/** Where each port can be set, and what it is by default (DESIGN §7). */
export const PORT_SETTINGS = {
  chain: { option: '--chain-port', variable: 'ASSAY_CHAIN_PORT', standard: 8545 },
  gateway: { option: '--gateway-port', variable: 'ASSAY_GATEWAY_PORT', standard: 4020 },
  node: { option: '--node-port', variable: 'ASSAY_NODE_PORT', standard: 4030 },
  validator: { option: '--validator-port', variable: 'ASSAY_VALIDATOR_PORT', standard: 4040 },
} as const satisfies Record<keyof Ports, { option: string; variable: string; standard: number }>

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^[0-9]{1,5}$/.test(text) || port < 1 || port > 65_535 - VALIDATOR_COUNT) {
    throw new InvalidArgumentError(`A port is a number from 1 to ${65_535 - VALIDATOR_COUNT}.`)
  }
  return port
}

/** Ports from options, else the environment, else the defaults. @throws CliError on a clash or a bad variable. */
export function portsFrom(options: Partial<Ports>, environment: NodeJS.ProcessEnv): Ports {
  const pick = (name: keyof Ports): number => {
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
  }
  const all = listed(ports)
  for (const [index, { port, name }] of all.entries()) {
    const other = all.findIndex((entry) => entry.port === port)
    if (other !== index)
      throw usage('Two servers were given one port.', { port, servers: `${all[other]?.name}, ${name}` })
  }
  return ports
}

function usage(message: string, facts: Record<string, unknown>): CliError {
  return new CliError(message, { exitCode: EXIT.usage, code: 'bad_port', facts, next: 'assay up --help' })
}

function listed(ports: Ports): { name: string; setting: keyof Ports; port: number }[] {
  return [
    { name: 'chain', setting: 'chain', port: ports.chain },
    { name: 'gateway', setting: 'gateway', port: ports.gateway },
    { name: 'node', setting: 'node', port: ports.node },
    ...Array.from({ length: VALIDATOR_COUNT }, (_, at) => ({
      name: `validator ${at + 1}`,
      setting: 'validator' as const,
      port: ports.validator + at,
    })),
  ]
}

/** @throws CliError naming the first port that something else holds, and how to choose another. */
export async function mustBeFree(ports: Ports): Promise<void> {
  for (const { name, setting, port } of listed(ports)) {
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
