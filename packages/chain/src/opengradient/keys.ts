import { existsSync, readFileSync } from 'node:fs'
import { AssayError } from '@assay/protocol'
import { type Address, getContractAddress, type Hex, isAddressEqual, isHex, size } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { type DevelopmentAccount, isDevelopmentAccount } from '../developmentAccounts.ts'
import { writeDurably } from '../durableFile.ts'

/** Base's own chain id, which OpenGradient's Python client insists on. */
export const BASE_CHAIN_ID = 8453
/** OPG as OpenGradient's clients know it on Base: nothing here may ever ask for a signature over it. */
const OPG_ON_BASE: Address = '0xFbC2051AE2265686a469421b2C5A2D5462FbF5eB'
/** Transactions of the deployer among which the token's is looked for. */
const MAX_DEPLOYMENTS = 256n

/**
 * The two accounts of a network under the profile. A signature made for chain id 8453 may count on Base, so whoever signs
 * here has nothing there and never will: both keys are drawn for this network alone.
 */
export type OpenGradientKeys = {
  /** Its contracts are at addresses that no other key reaches, so Base has no code there. */
  deployer: DevelopmentAccount
  /** The only account that may pay. */
  payer: DevelopmentAccount
}

/** The keys in `file`, drawn once. There is no way to give others. @throws AssayError `malformed` */
export function openGradientKeys(file: string): OpenGradientKeys {
  if (!existsSync(file)) {
    const [deployer, payer] = [generatePrivateKey(), generatePrivateKey()]
    writeDurably(
      file,
      `${JSON.stringify({ format: 'assay-opengradient-keys/1', deployer, payer }, null, 2)}\n`,
    )
  }
  try {
    const raw = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    if (raw.format !== 'assay-opengradient-keys/1') throw new Error('another format')
    const keys = { deployer: accountOf(raw.deployer), payer: accountOf(raw.payer) }
    if (isAddressEqual(keys.deployer.address, keys.payer.address)) throw new Error('one key twice')
    return keys
  } catch (cause) {
    throw new AssayError('The keys of the profile cannot be used.', {
      code: 'malformed',
      facts: { file, reason: cause instanceof Error ? cause.message : 'unreadable' },
      next: 'They are drawn by the profile and cannot be brought along. Start in another ASSAY_HOME for new ones.',
      cause,
    })
  }
}

function accountOf(value: unknown): DevelopmentAccount {
  if (!isHex(value) || size(value) !== 32) throw new Error('not a key')
  const address = privateKeyToAddress(value as Hex)
  if (isDevelopmentAccount(address)) throw new Error('a public development key')
  return { address, privateKey: value as Hex }
}

/**
 * Refuses to go on with a token that might have code on Base: it must be a contract of the deployer that was drawn here.
 * @throws AssayError `config`
 */
export function requireTokenOfOurs(token: Address, deployer: Address): void {
  const isOurs = (nonce: bigint): boolean =>
    isAddressEqual(getContractAddress({ from: deployer, nonce }), token)
  for (let nonce = 0n; nonce < MAX_DEPLOYMENTS && !isAddressEqual(token, OPG_ON_BASE); nonce++) {
    if (isOurs(nonce)) return
  }
  throw new AssayError('The token was not deployed by the key that was drawn for this network.', {
    code: 'config',
    facts: { token, deployer },
    next: 'Start the profile in an empty ASSAY_HOME: a payment signed for this token might count on Base.',
  })
}
