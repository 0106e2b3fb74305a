import {
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  isDevelopmentAccount,
  type Sender,
} from '@assay/chain'
import type { Network } from '@assay/protocol'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { walletKey } from '../wallet.ts'

/** Development accounts by the name of their part. */
const ROLES: Record<string, number> = {
  deployer: DEVELOPMENT_ROLES.deployer,
  gateway: DEVELOPMENT_ROLES.gateway,
  node: DEVELOPMENT_ROLES.node,
  'node-2': DEVELOPMENT_ROLES.moreNodes[0],
  'node-3': DEVELOPMENT_ROLES.moreNodes[1],
  'node-4': DEVELOPMENT_ROLES.moreNodes[2],
  'validator-1': DEVELOPMENT_ROLES.validators[0],
  'validator-2': DEVELOPMENT_ROLES.validators[1],
  'validator-3': DEVELOPMENT_ROLES.validators[2],
  publisher: DEVELOPMENT_ROLES.publisher,
  treasury: DEVELOPMENT_ROLES.treasury,
  demo: DEVELOPMENT_ROLES.demo,
  guardian: DEVELOPMENT_ROLES.guardian,
}

export const AS_OPTION = '--as <role>'
export const AS_DESCRIPTION = `development networks: act as ${Object.keys(ROLES).join(', ')}`

/** Who acts: the wallet, or on a development network the account of a named part. @throws CliError */
export function signerFor(network: Network, role: string | undefined): Sender {
  return createSender({ network, privateKey: signingKey(network, role) })
}

/** The key of who acts. @throws CliError */
export function signingKey(network: Network, role: string | undefined): Hex {
  return role === undefined ? walletKey(network) : roleKey(network, role)
}

function roleKey(network: Network, role: string): Hex {
  const { demo } = network.accounts
  if (demo === undefined || !isDevelopmentAccount(demo.address)) {
    throw new CliError('Only a development network has accounts that everybody may use.', {
      exitCode: EXIT.usage,
      code: 'not_a_devnet',
      next: 'Set ASSAY_WALLET_KEY to the key that is to act.',
    })
  }
  const index = ROLES[role]
  if (index === undefined) {
    throw new CliError('There is no such development account.', {
      exitCode: EXIT.usage,
      code: 'unknown_role',
      facts: { given: role.slice(0, 40), known: Object.keys(ROLES).join(', ') },
    })
  }
  return developmentAccount(index).privateKey
}
