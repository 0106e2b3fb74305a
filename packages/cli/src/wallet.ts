import { isApiKey, type Network } from '@assay/protocol'
import type { Hex } from 'viem'
import { CliError, EXIT } from './cliError.ts'
import { isPrivateKey } from './keyFile.ts'
import { importedPayer } from './up/profile.ts'

/** Key that pays: `ASSAY_WALLET_KEY`, else the demo account of a development network. @throws CliError */
export function walletKey(network: Network, environment: NodeJS.ProcessEnv = process.env): Hex {
  const given = environment.ASSAY_WALLET_KEY
  if (given !== undefined && given !== '') {
    if (isPrivateKey(given)) {
      if (network.profile !== undefined) throw importedPayer()
      return given
    }
    // The value itself is never repeated: it is a secret, mistyped or not.
    throw new CliError('ASSAY_WALLET_KEY is not a private key.', {
      exitCode: EXIT.usage,
      code: 'bad_key',
      next: 'Give 0x and 64 hex digits, or unset it to use the demo account of a development network.',
    })
  }
  const { demo } = network.accounts
  if (demo !== undefined) return demo.privateKey
  throw new CliError('No wallet is set, and this network has no demo account.', {
    exitCode: EXIT.usage,
    code: 'no_wallet',
    next: 'Set ASSAY_WALLET_KEY to the private key that pays.',
  })
}

/**
 * What pays: a key under a grant where one is given or `ASSAY_API_KEY` is set, else the wallet. @throws CliError
 * @param options as they stand in the command line
 */
export function payingWith(
  { key, confidential }: { key?: string | undefined; confidential?: boolean | undefined },
  network: Network,
  environment: NodeJS.ProcessEnv = process.env,
): { privateKey: Hex } | { apiKey: string } {
  const apiKey = key ?? environment.ASSAY_API_KEY
  if (apiKey === undefined || apiKey === '') return { privateKey: walletKey(network, environment) }
  if (isApiKey(apiKey)) {
    if (confidential === true) throw cannotSeal()
    return { apiKey }
  }
  // Never repeated, as a parser of options would: it is a secret, mistyped or not.
  throw new CliError('This is not an API key.', {
    exitCode: EXIT.usage,
    code: 'bad_key',
    next: 'Give one that assay wallet grant create has shown: assay_ and 43 characters.',
  })
}

/** The client of the network says so too, in the words of a program: here it is two options that exclude each other. */
function cannotSeal(): CliError {
  return new CliError('A confidential request is signed by its payer, which an API key cannot do.', {
    exitCode: EXIT.usage,
    code: 'not_confidential',
    next: 'Leave --confidential out, or pay from the wallet: without --key, and with ASSAY_API_KEY unset.',
  })
}
