import {
  BASE_CHAIN_ID,
  type Devnet,
  deployOpenGradient,
  type OpenGradientKeys,
  openGradientKeys,
  requireTokenOfOurs,
} from '@assay/chain'
import type { Contracts, OpenGradientProfile } from '@assay/protocol'
import { InvalidArgumentError } from 'commander'
import { numberToHex, parseEther } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Home } from '../home.ts'
import { parsePort } from './ports.ts'

export const PROFILES = ['opengradient'] as const
export type ProfileName = (typeof PROFILES)[number]

/** A network that also speaks OpenGradient's wire format. */
export type ProfilePlan = { name: ProfileName /** Of the gateway's second door. */; tlsPort: number }

const TLS_PORT = { variable: 'ASSAY_GATEWAY_TLS_PORT', standard: 4443 } as const
const GAS_MONEY = parseEther('1000')

export function parseProfile(text: string): ProfileName {
  const found = PROFILES.find((name) => name === text)
  if (found === undefined) throw new InvalidArgumentError(`The profiles are: ${PROFILES.join(', ')}.`)
  return found
}

/** The profile that options or environment name, undefined for none. @throws CliError */
export function profileFrom(
  options: { profile?: ProfileName | undefined; tlsPort?: number | undefined },
  environment: NodeJS.ProcessEnv,
): ProfilePlan | undefined {
  const name =
    options.profile ?? (environment.ASSAY_PROFILE ? parseProfile(environment.ASSAY_PROFILE) : undefined)
  if (name === undefined) return undefined
  const given = environment[TLS_PORT.variable]
  const tlsPort = options.tlsPort ?? (given ? parsePort(given) : TLS_PORT.standard)
  return { name, tlsPort }
}

/**
 * What must hold before a chain starts. A chain with Base's id is only for those who need it, and then no key signs there
 * that was ever anywhere else.
 * @throws CliError
 */
export function refuseUnsafe(
  chainId: number,
  profile: ProfilePlan | undefined,
  environment: NodeJS.ProcessEnv,
): void {
  if (profile === undefined && chainId === BASE_CHAIN_ID) {
    throw new CliError('A development chain must not have the chain id of Base.', {
      exitCode: EXIT.usage,
      code: 'base_chain_id',
      facts: { chainId },
      next: 'What is signed on it could count on Base. --profile opengradient does it with keys of its own.',
    })
  }
  if (profile !== undefined && environment.ASSAY_WALLET_KEY) throw importedPayer()
}

/** A payer that was not made with the network. */
export function importedPayer(): CliError {
  return new CliError('Under this profile no key of yours may pay.', {
    exitCode: EXIT.usage,
    code: 'imported_payer',
    next: 'Unset ASSAY_WALLET_KEY: the profile makes its own payer, and what another key signed for this chain id could count on Base.',
  })
}

/** The keys of the profile, with gas to act. */
export async function prepareKeys(home: Home, chain: Devnet): Promise<OpenGradientKeys> {
  const keys = openGradientKeys(home.data('opengradient/keys.json'))
  for (const { address } of [keys.deployer, keys.payer]) {
    await chain.admin('anvil_setBalance', [address, numberToHex(GAS_MONEY)])
  }
  // No transaction carries this money, so no journal holds it.
  await chain.snapshot()
  return keys
}

/** Deploys the compatibility contracts and says what network.json tells of the profile. */
export async function deployProfile(parameters: {
  home: Home
  chain: Devnet
  contracts: Contracts
  keys: OpenGradientKeys
  tlsPort: number
}): Promise<OpenGradientProfile> {
  const { home, chain, contracts, keys, tlsPort } = parameters
  requireTokenOfOurs(contracts.OPG, keys.deployer.address)
  const { selfSigned } = await import('@assay/node')
  const { certificate } = await selfSigned(home.data('opengradient'))
  const deployed = await deployOpenGradient({
    chainId: chain.chainId,
    rpcUrl: chain.url,
    deployerKey: keys.deployer.privateKey,
    contracts,
    journalFile: home.data('opengradient/deployment.json'),
  })
  return {
    name: 'opengradient',
    payer: keys.payer.address,
    ...deployed,
    endpoint: `https://127.0.0.1:${tlsPort}`,
    tlsCertificate: certificate,
  }
}

/** What the gateway needs to open its second door. */
export function tlsEnvironment(home: Home, { tlsPort }: ProfilePlan): Record<string, string> {
  return {
    ASSAY_TLS_PORT: String(tlsPort),
    ASSAY_TLS_CERTIFICATE: home.data('opengradient/tls.crt'),
    ASSAY_TLS_KEY: home.data('opengradient/tls.key'),
  }
}
