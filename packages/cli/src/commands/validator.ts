import { publicClientOf, readFaults } from '@assay/chain'
import { type Command, InvalidArgumentError } from 'commander'
import { type Address, getAddress, isAddress } from 'viem'
import { describeSlashes } from '../audit/describeAudit.ts'
import { assayHome, networkFor } from '../home.ts'
import { readKeyFile } from '../keyFile.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { parsePort } from '../up/ports.ts'
import { aborted, stopSignal } from '../up/stopSignal.ts'

type SlashOptions = { network?: string; json?: true; of?: Address }
type RunOptions = {
  network?: string
  rpc?: string
  keyFile: string
  data?: string
  port: number
  fromBlock?: bigint
}

export function registerValidator(program: Command, context: CommandContext): void {
  const validator = program
    .command('validator')
    .description('Check what others commit, prove what is wrong with it, and see who paid for it.')
  validator
    .command('slashes')
    .description('Every slash: for which fault, of which class, in which batch, and who got what of it.')
    .option('--of <address>', 'only what this validator, node or gateway paid', address)
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print JSON')
    .action(async (options: SlashOptions) => {
      const network = networkFor(options.network)
      const { since, faults } = await readFaults(publicClientOf(network), network)
      const found = faults.filter(
        ({ operators, validators }) =>
          // Nobody is slashed for a canary that all have noticed.
          (options.of === undefined && operators.length + validators.length > 0) ||
          operators.some(({ operator }) => operator === options.of) ||
          validators.some((punished) => punished.validator === options.of),
      )
      if (options.json === true) {
        const unit = 'OPG base units (10^-18 OPG)'
        context.output.out(toJsonText({ since, faults: found, unit }))
      } else context.output.out(describeSlashes(found, since))
    })
  validator
    .command('run')
    .description('Run a validator until it is stopped. It logs what it does, a JSON object a line.')
    .requiredOption('--key-file <file>', 'file with its private key: 0x and 64 hex digits')
    .option('--network <file>', 'network.json of another network')
    .option('--rpc <url>', 'another RPC than the network file names', rpcUrl)
    .option('--data <folder>', 'its signing record; never two processes on one, never one key on two')
    .option('--port <port>', 'port of its /health; 0 for any', listenPort, 4040)
    .option('--from-block <number>', 'first block that can hold an event of this network', blockNumber)
    .action(async (options: RunOptions) => {
      const found = networkFor(options.network)
      const network = options.rpc === undefined ? found : { ...found, rpcUrl: options.rpc }
      const { startValidator } = await import('@assay/validator')
      const running = await startValidator({
        network,
        privateKey: readKeyFile(options.keyFile),
        dataDir: options.data ?? assayHome().data('validator'),
        port: options.port,
        fromBlock: options.fromBlock,
      })
      context.output.err(`assay: validator ${running.operator} at ${running.url}; ^C stops it\n`)
      const { signal, dispose } = stopSignal()
      await aborted(signal)
      context.output.err(`\nassay: ${(signal.reason as Error).message}, stopping …\n`)
      await running.close()
      dispose()
    })
}

function address(text: string): Address {
  if (!isAddress(text)) throw new InvalidArgumentError('It must be an address: 0x and 40 hex digits.')
  return getAddress(text)
}

function listenPort(text: string): number {
  return text === '0' ? 0 : parsePort(text)
}

function rpcUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidArgumentError('It must be an http or https URL.')
  }
  return text
}

function blockNumber(text: string): bigint {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a block number.')
  return BigInt(text)
}
