import { BASE_CHAIN_ID } from '@assay/chain'
import { type Command, InvalidArgumentError } from 'commander'
import { assayHome } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { detach } from '../up/detach.ts'
import { NODES_SETTING, PORT_SETTINGS, type Ports, parseNodes, parsePort, portsFrom } from '../up/ports.ts'
import { type ProfileName, type ProfilePlan, parseProfile, profileFrom, refuseUnsafe } from '../up/profile.ts'
import { createProgress } from '../up/progress.ts'
import { startNetwork } from '../up/startNetwork.ts'
import { aborted, stopSignal } from '../up/stopSignal.ts'
import { welcome } from '../up/welcome.ts'

type UpOptions = {
  chainPort?: number
  gatewayPort?: number
  nodePort?: number
  validatorPort?: number
  nodes?: number
  chainId?: number
  profile?: ProfileName
  tlsPort?: number
  detach?: true
  json?: true
}

export function registerUp(program: Command, context: CommandContext): void {
  const command = program
    .command('up')
    .description('Run a whole network on this machine: chain, contracts, node, validators, gateway.')
  for (const [name, { option, variable, standard }] of Object.entries(PORT_SETTINGS)) {
    const first = name === 'validator' || name === 'node'
    const text = first ? `first port of the ${name}s` : `port of the ${name}`
    command.option(`${option} <port>`, `${text} (${variable}, ${standard})`, parsePort)
  }
  command
    .option(
      `${NODES_SETTING.option} <count>`,
      `inference nodes (${NODES_SETTING.variable}, ${NODES_SETTING.standard})`,
      parseNodes,
    )
    .option(
      '--chain-id <id>',
      'chain id of a new chain (ASSAY_CHAIN_ID, 31337; under the profile opengradient 8453)',
      parseChainId,
    )
    .option(
      '--profile <name>',
      "opengradient: speak OpenGradient's wire format too (ASSAY_PROFILE; docs/opengradient.md)",
      parseProfile,
    )
    .option('--tls-port <port>', "port of the profile's TLS door (ASSAY_GATEWAY_TLS_PORT, 4443)", parsePort)
    .option('--detach', 'return once it is ready; stop it with: assay down')
    .option('--json', 'print the network when it is ready')
    .action(async (options: UpOptions) => {
      const ports = portsFrom(portOptions(options), process.env)
      const home = assayHome()
      const profile = profileFrom(options, process.env)
      const chainId = options.chainId ?? chainIdFrom(process.env, profile)
      refuseUnsafe(chainId, profile, process.env)
      const { output } = context
      if (options.detach === true) {
        const network = await detach(home, ports, { chainId, profile }, output)
        output.out(options.json === true ? toJsonText(network) : welcome(network))
        return
      }
      output.err('assay: starting a network on this machine\n')
      const { signal, dispose } = stopSignal()
      try {
        const running = await startNetwork({
          home,
          ports,
          chainId,
          profile,
          progress: createProgress(output),
          signal,
        })
        output.out(options.json === true ? toJsonText(running.network) : welcome(running.network))
        await aborted(signal)
        output.err(`\nassay: ${(signal.reason as Error).message}, stopping …\n`)
        await running.stop()
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        dispose()
      }
      output.err('assay: stopped; the data stays, npm start continues where it was\n')
    })
}

function parseChainId(text: string): number {
  const id = Number(text)
  if (!/^[1-9][0-9]{0,15}$/.test(text) || !Number.isSafeInteger(id)) {
    throw new InvalidArgumentError('A chain id is a positive whole number.')
  }
  return id
}

function chainIdFrom(environment: NodeJS.ProcessEnv, profile: ProfilePlan | undefined): number {
  const text = environment.ASSAY_CHAIN_ID
  return text === undefined || text === ''
    ? profile === undefined
      ? 31_337
      : BASE_CHAIN_ID
    : parseChainId(text)
}

function portOptions(options: UpOptions): Partial<Ports> {
  const given: Partial<Ports> = {}
  if (options.chainPort !== undefined) given.chain = options.chainPort
  if (options.gatewayPort !== undefined) given.gateway = options.gatewayPort
  if (options.nodePort !== undefined) given.node = options.nodePort
  if (options.validatorPort !== undefined) given.validator = options.validatorPort
  if (options.nodes !== undefined) given.nodes = options.nodes
  return given
}
