import { readFileSync } from 'node:fs'
import { AssayError, CONTRACT_NAMES, type ContractName } from '@assay/protocol'
import { type Address, type Hex, isAddress, isHex } from 'viem'
import { writeDurably } from '../durableFile.ts'

/** What a deployment has done so far, so that a run that broke off is continued and not repeated. */
export type DeployJournal = {
  format: 'assay-deployment/1'
  chainId: number
  deployer: Address
  deploymentId: Hex
  /** Of the contracts' code (`codeVersion`); absent in records that are older than this field. */
  code?: Hex
  /** Identity of the deployment whose token this one goes on with. */
  succeeds?: Hex
  contracts: Partial<Record<ContractName, Address>>
}

export function saveJournal(file: string, journal: DeployJournal): void {
  writeDurably(file, `${JSON.stringify(journal, null, 2)}\n`)
}

/** The journal in the file; undefined where there is none. @throws AssayError `malformed` */
export function readJournal(file: string): DeployJournal | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  try {
    const raw = JSON.parse(text) as DeployJournal
    const addresses = Object.entries(raw.contracts)
    const sound =
      raw.format === 'assay-deployment/1' &&
      Number.isSafeInteger(raw.chainId) &&
      isAddress(raw.deployer) &&
      isHex(raw.deploymentId) &&
      (raw.code === undefined || isHex(raw.code)) &&
      (raw.succeeds === undefined || isHex(raw.succeeds)) &&
      addresses.every(([name, at]) => (CONTRACT_NAMES as readonly string[]).includes(name) && isAddress(at))
    if (sound) return raw
  } catch {
    // Reported below.
  }
  throw new AssayError('The record of the deployment is not readable.', {
    code: 'malformed',
    facts: { file },
    next: 'Restore it from a copy. Without it, moving it away makes the next run deploy everything anew.',
  })
}
