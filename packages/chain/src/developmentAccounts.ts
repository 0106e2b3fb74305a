import type { Address, Hex } from 'viem'
import { toHex } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

/** The phrase every local Ethereum tool uses. Its keys are public: never on a chain that holds value. */
export const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk'

/** Who is who on the development chain, by account index. */
export const DEVELOPMENT_ROLES = {
  deployer: 0,
  gateway: 1,
  node: 2,
  validators: [3, 4, 5],
  publisher: 6,
  treasury: 7,
  demo: 8,
  guardian: 9,
  /** Beneficiaries of what vests; nobody signs with them unless to release or to vote. */
  contributors: 10,
  investors: 11,
  /** Operators of the nodes beyond the first, where a network is started with more. */
  moreNodes: [12, 13, 14],
} as const

export type DevelopmentAccount = { readonly address: Address; readonly privateKey: Hex }

/** Those that were asked for: the phrase's 2,048 rounds of SHA-512 take longer than a signature, again for each. */
const derived = new Map<number, DevelopmentAccount>()

/** Account `index` of the development phrase. */
export function developmentAccount(index: number): DevelopmentAccount {
  let account = derived.get(index)
  if (account === undefined) {
    account = derive(index)
    derived.set(index, account)
  }
  return account
}

function derive(index: number): DevelopmentAccount {
  const account = mnemonicToAccount(DEVELOPMENT_MNEMONIC, { addressIndex: index })
  const privateKey = account.getHdKey().privateKey
  if (privateKey === null) throw new Error('unreachable: a derived key has its private half')
  return { address: account.address, privateKey: toHex(privateKey) }
}

/** The first `n` accounts of the development phrase. */
export function developmentAccounts(n: number): DevelopmentAccount[] {
  return Array.from({ length: n }, (_, index) => developmentAccount(index))
}

/** How many accounts of the phrase count as development keys; nobody uses more by hand. */
const KNOWN_ACCOUNTS = 20
let known: Set<string> | undefined

/** Whether an address belongs to the public development phrase. */
export function isDevelopmentAccount(address: Address): boolean {
  known ??= new Set(developmentAccounts(KNOWN_ACCOUNTS).map((account) => account.address.toLowerCase()))
  return known.has(address.toLowerCase())
}
