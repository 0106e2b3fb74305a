import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { createSender, publicClientOf, readBatchHistory, type Sender } from '@assay/chain'
import { formatOpg, inferenceEscrowAbi, type Network } from '@assay/protocol'
import type { Canary, SowContext } from '@assay/validator'
import { type Command, InvalidArgumentError } from 'commander'
import { isHash } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { assayHome, networkFor } from '../home.ts'
import { readKeyFile } from '../keyFile.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { parsePort } from '../up/ports.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'

type CanaryOptions = { keyFile: string; data?: string; network?: string; json?: true }
type SeedOptions = CanaryOptions & { port: number; url?: string }

const UNIT = 'OPG base units (10^-18 OPG)'

/** `assay validator canary`: batches that are false on purpose, so that looking pays where nobody lies. */
export function registerValidatorCanary(program: Command, context: CommandContext): void {
  const validator = program.commands.find((command) => command.name() === 'validator')
  if (validator === undefined) throw new Error('assay validator is registered first')
  const canary = validator
    .command('canary')
    .description('Sow a batch that is false on purpose: who calls it valid pays, who notices is paid.')
  const command = (name: string, description: string) =>
    canary
      .command(name)
      .description(description)
      .requiredOption(
        '--key-file <file>',
        'file with the private key of a bonded account that runs no gateway',
      )
      .option('--data <folder>', 'where the canary is kept until it is over')
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')

  command('seed', 'Sow one, commit it, serve its file, show in time what it was, and take the deposit back.')
    .option('--port <port>', 'port on 127.0.0.1 from which its file is served; 0 for any', listenPort, 0)
    .option('--url <url>', 'where others reach that port; http://127.0.0.1:<port> by default')
    .action(async (options: SeedOptions) => {
      const on = telling(contextOf(options), context)
      const { newCanary, sowAndCommit } = await import('@assay/validator')
      const one = await newCanary(on)
      const folder = options.data ?? assayHome().data('canaries')
      const file = fileOf(folder, one.batchId)
      mkdirSync(folder, { recursive: true })
      // Kept before it is sown: without the salt it is a plain fault, half of the bond.
      writeFileAtomic(file, textOf(one))
      const server = await serve(one, options.port)
      try {
        await openTill(on, options.url ?? server.url)
        context.output.err(`assay: the canary is kept in ${file}\n`)
        const transactionHash = await sowAndCommit(one, on)
        context.output.err(`assay: batch ${one.batchId} is committed: ${transactionHash}\n`)
        await finish(one, on, options, context)
      } finally {
        server.close()
      }
    })

  command('reveal', 'Show what a canary was whose sower was interrupted, and take the deposit back.')
    .argument('<batch id>', 'of the canary')
    .action(async (batchId: string, options: CanaryOptions) => {
      const file = fileOf(options.data ?? assayHome().data('canaries'), batchId)
      if (!isHash(batchId) || !existsSync(file)) {
        throw new CliError('No canary of that id is kept here.', {
          exitCode: EXIT.usage,
          code: 'not_found',
          facts: { looked: file },
          next: 'Give the folder in which `seed` kept it: --data <folder>',
        })
      }
      const [one, on] = [canaryIn(readFileSync(file, 'utf8')), contextOf(options)]
      const { isCommitted, takeSeedBack } = await import('@assay/validator')
      if (await isCommitted(one, on)) return finish(one, on, options, context)
      const returned = await takeSeedBack(one, on)
      if (options.json === true) context.output.out(toJsonText({ batchId, returned, unit: UNIT }))
      else context.output.out(`The canary was never committed; ${formatOpg(returned)} are back.\n`)
    })
}

async function finish(
  one: Canary,
  on: SowContext,
  options: CanaryOptions,
  context: CommandContext,
): Promise<void> {
  const { closeCanary, dueToReveal, revealCanary } = await import('@assay/validator')
  await dueToReveal(one, on)
  const revealedIn = await revealCanary(one, on)
  context.output.err(`assay: it is shown what it was: ${revealedIn}\n`)
  const returned = await closeCanary(one, on)
  const history = await readBatchHistory(on.client, on.network, one.batchId)
  const penalties = history?.faults.flatMap(({ validators }) => validators) ?? []
  const done = { batchId: one.batchId, revealedIn, returned, voices: history?.voices ?? [], penalties }
  if (options.json === true) context.output.out(toJsonText({ ...done, unit: UNIT }))
  else {
    const lost = penalties.map(
      ({ validator, taken }) => `  ${validator} called it valid: ${formatOpg(taken)}\n`,
    )
    context.output.out(
      `The canary ${one.batchId} is over, ${formatOpg(returned)} are back.\n${lost.join('') || '  Nobody called it valid.\n'}`,
    )
  }
}

/** Says of each transaction that it landed: there are four before the batch is committed, and a deposit among them. */
function telling(on: SowContext, { output }: CommandContext): SowContext {
  const send: Sender['send'] = async (call) => {
    const receipt = await on.sender.send(call)
    output.err(`assay: ${call.functionName}  ${receipt.transactionHash}\n`)
    return receipt
  }
  return { ...on, sender: { ...on.sender, send } }
}

function contextOf(options: CanaryOptions): SowContext {
  const network: Network = networkFor(options.network)
  const sender = createSender({ network, privateKey: readKeyFile(options.keyFile) })
  return { network, client: publicClientOf(network), sender }
}

/** Validators ask for the file where its committer's till says; a gateway's own till is not taken from it. */
async function openTill({ client, network, sender }: SowContext, url: string): Promise<void> {
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const known = await client.readContract({ ...escrow, functionName: 'tillUrl', args: [sender.address] })
  if (known === url) return
  if (known !== '') {
    throw new CliError('This account has a till elsewhere: its batches are looked for there.', {
      exitCode: EXIT.usage,
      code: 'till_taken',
      facts: { till: known, wanted: url },
      next: 'Sow from an account that runs no gateway, or give the same --port and --url again.',
    })
  }
  await sender.send({ ...escrow, functionName: 'openTill', args: [url] })
}

async function serve({ batchId, file }: Canary, port: number): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    const asked = request.method === 'GET' && request.url === `/v1/batches/${batchId}/data`
    response.writeHead(asked ? 200 : 404).end(asked ? file : undefined)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

const fileOf = (folder: string, batchId: string) => path.join(folder, `canary-${batchId}.json`)

function textOf({ batchId, salt, height, file }: Canary): string {
  return `${JSON.stringify({ batchId, salt, height: height.toString(), file: Buffer.from(file).toString('base64') })}\n`
}

function canaryIn(text: string): Canary {
  const { batchId, salt, height, file } = JSON.parse(text) as Record<string, string>
  if (!isHash(batchId ?? '') || !isHash(salt ?? '') || height === undefined || file === undefined) {
    throw new CliError('The file holds no canary.', { exitCode: EXIT.usage, code: 'malformed' })
  }
  return {
    batchId: batchId as Canary['batchId'],
    salt: salt as Canary['salt'],
    height: BigInt(height),
    file: new Uint8Array(Buffer.from(file, 'base64')),
  }
}

function listenPort(text: string): number {
  if (text === '0') return 0
  const port = parsePort(text)
  if (Number.isNaN(port)) throw new InvalidArgumentError('It must be a port.')
  return port
}
