/**
 * Deploys the contracts on any EVM chain:
 *   node packages/chain/src/deployMain.ts --rpc <url> --chain-id <n> --treasury <address> --beneficiaries <file>
 * or, beside a deployment that exists and with its token, --succeeds <its journal> instead of the beneficiaries.
 * The deployer's key comes from ASSAY_KEY, never from the command line, where others on the machine could read it.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { AssayError } from '@assay/protocol'
import { type Address, isAddress, isHex, size } from 'viem'
import { ALLOCATION, type Beneficiaries } from './deploy/allocation.ts'
import { deploy } from './deploy/deploy.ts'

const USAGE = `Usage: deploy --rpc <url> --chain-id <n> --treasury <address>
              (--beneficiaries <file> | --succeeds <file>) [options]
  --rpc <url>                JSON-RPC address of the chain
  --chain-id <n>             its chain id, checked against what the RPC answers
  --treasury <address>       receives its share of every payment
  --beneficiaries <file>     JSON object: one address for each of ${ALLOCATION.join(', ')}
  --succeeds <file>          journal of an earlier deployment, whose token goes on (docs/upgrades.md)
  --guardian <address>       may suspend and pause, for a year (default: nobody)
  --journal <file>           remembers what was deployed (default: deployment-<chain id>.json)
  --insecure-development     allow the public development keys on this chain
Environment: ASSAY_KEY = the deployer's private key. It needs ether for gas.`

function usage(reason: string): AssayError {
  return new AssayError(reason, { code: 'config', next: USAGE })
}

function addressOf(value: string | undefined, name: string): Address {
  if (value === undefined || !isAddress(value, { strict: false }))
    throw usage(`--${name} must be an address.`)
  return value
}

function beneficiariesFrom(file: string | undefined): Beneficiaries {
  if (file === undefined) throw usage('--beneficiaries must name a file.')
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new AssayError('The file of beneficiaries cannot be read.', {
      code: 'malformed',
      facts: { file },
      cause,
    })
  }
  if (typeof value !== 'object' || value === null)
    throw usage('The file of beneficiaries must hold an object.')
  const given = value as Record<string, unknown>
  const unknown = Object.keys(given).find((name) => !(ALLOCATION as readonly string[]).includes(name))
  if (unknown !== undefined) throw usage(`There is no bucket ${JSON.stringify(unknown)}.`)
  const entries = ALLOCATION.map((bucket) => [
    bucket,
    addressOf(String(given[bucket]), `beneficiaries.${bucket}`),
  ])
  return Object.fromEntries(entries) as Beneficiaries
}

function supplyFrom(values: { beneficiaries?: string; succeeds?: string }) {
  const { beneficiaries, succeeds } = values
  if (succeeds === undefined) return { beneficiaries: beneficiariesFrom(beneficiaries) }
  if (beneficiaries !== undefined)
    throw usage('--succeeds goes on with a supply that is allocated; --beneficiaries is for a new one.')
  return { succeeds }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rpc: { type: 'string' },
      'chain-id': { type: 'string' },
      treasury: { type: 'string' },
      beneficiaries: { type: 'string' },
      succeeds: { type: 'string' },
      guardian: { type: 'string' },
      journal: { type: 'string' },
      'insecure-development': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const chainId = Number(values['chain-id'])
  const key = process.env.ASSAY_KEY
  if (values.rpc === undefined || !/^https?:$/.test(URL.parse(values.rpc)?.protocol ?? '')) {
    throw usage('--rpc must be an http address.')
  }
  if (!Number.isSafeInteger(chainId) || chainId < 1) throw usage('--chain-id must be a positive integer.')
  if (!isHex(key) || size(key) !== 32) throw usage('ASSAY_KEY must hold a private key, 32 bytes as 0x hex.')
  const result = await deploy({
    rpcUrl: values.rpc,
    chainId,
    deployerKey: key,
    treasury: addressOf(values.treasury, 'treasury'),
    guardian: values.guardian === undefined ? undefined : addressOf(values.guardian, 'guardian'),
    ...supplyFrom(values),
    journalFile: values.journal ?? `deployment-${chainId}.json`,
    insecureDevelopment: values['insecure-development'],
    onProgress: (step) => process.stderr.write(`${step}\n`),
  })
  const { deploymentId, contracts, fresh } = result
  process.stdout.write(`${JSON.stringify({ chainId, deploymentId, contracts, fresh }, null, 2)}\n`)
}

main().catch((error: unknown) => {
  const known = error instanceof AssayError
  const parse = error instanceof TypeError && 'code' in error
  process.stderr.write(
    `${known || parse ? (error as Error).message : String((error as Error).stack ?? error)}\n`,
  )
  process.exitCode = parse || (known && error.next === USAGE) ? 2 : 1
})
