import { formatOpg, type Network } from '@assay/protocol'
import { spendingLimit } from '@assay/sdk'
import { type ProxyCall, startProxy } from '@assay/sdk/proxy'
import { type Command, InvalidArgumentError } from 'commander'
import { opgOption } from '../amount.ts'
import { CliError, EXIT } from '../cliError.ts'
import { assayHome, makeHome, networkFor } from '../home.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { proxyToken } from '../proxy/proxyToken.ts'
import { acquireLock } from '../up/lock.ts'
import { parsePort } from '../up/ports.ts'
import { aborted, stopSignal } from '../up/stopSignal.ts'
import { payingWith } from '../wallet.ts'

type ProxyCommandOptions = {
  port?: number
  maxPerCall: bigint
  maxPerDay: bigint
  buffer?: true
  confidential?: true
  allowOrigin: string[]
  fallback: string[]
  key?: string
  newToken?: true
  network?: string
  json?: true
}

const STANDARD_PORT = 4050

export function registerProxy(program: Command, context: CommandContext): void {
  program
    .command('proxy')
    .description('A local OpenAI and Anthropic endpoint that pays for each call and verifies each answer.')
    .option('--port <port>', `port on 127.0.0.1 (ASSAY_PROXY_PORT, ${STANDARD_PORT})`, parsePort)
    .addOption(opgOption('--max-per-call <OPG>', 'most that one call may cost', '1'))
    .addOption(opgOption('--max-per-day <OPG>', 'most that may be spent in 24 hours', '10'))
    .option('--buffer', 'hold streams back until they are verified')
    .option('--confidential', 'encrypt each request to an attested enclave')
    .option('--allow-origin <origin>', 'let pages of this origin use it; may be given again', originOf, [])
    .option('--fallback <file>', 'network.json of another gateway to ask; may be given again', collected, [])
    .option('--key <key>', 'pay under a grant with its API key, or ASSAY_API_KEY; its limits hold')
    .option('--new-token', 'make a new token; the old one is worth nothing from now on')
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print {url, token} when it is ready')
    .action((options: ProxyCommandOptions) => proxy(options, context))
}

async function proxy(options: ProxyCommandOptions, { output }: CommandContext): Promise<void> {
  const network = networkFor(options.network)
  const home = assayHome()
  const paying = payingWith(options, network)
  makeHome(home)
  // What was spent is counted in one file, which two proxies would overwrite for each other.
  const lock = acquireLock(home.proxyLock, alreadyRunning)
  const { signal, dispose } = stopSignal()
  let release = () => lock.release()
  try {
    const token = proxyToken(home, options.newToken === true)
    const spending = spendingLimit({ maxPerDay: options.maxPerDay, file: home.proxySpending })
    const port = options.port ?? portFromEnvironment(process.env)
    const running = await startProxy({
      ...paying,
      network,
      port,
      token,
      spending,
      maxPerCall: options.maxPerCall,
      fallbacks: options.fallback.map((file) => sameNetwork(network, networkFor(file))),
      buffer: options.buffer ?? false,
      confidential: options.confidential ?? false,
      allowedOrigins: options.allowOrigin,
      onCall: (call) => output.err(describeCall(call)),
    }).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'EADDRINUSE' ? portTaken(port, cause) : cause
    })
    // A stream that its client left is read to its end behind the last connection, and counted then: until this process
    // is gone, another one would count beside it.
    release = () => void process.once('exit', () => lock.release())
    output.out(options.json === true ? toJsonText({ url: running.url, token }) : welcome(running.url, token))
    if (options.json !== true) output.err(limits(options, spending.spent()))
    await aborted(signal)
    await running.close()
  } finally {
    dispose()
    release()
  }
}

function welcome(url: string, token: string): string {
  return [
    `Assay proxy on ${url}. Any program that knows OpenAI's or Anthropic's API may use it:\n`,
    `  export OPENAI_BASE_URL=${url}/v1   OPENAI_API_KEY=${token}`,
    `  export ANTHROPIC_BASE_URL=${url}   ANTHROPIC_API_KEY=${token}\n\n`,
  ].join('\n')
}

function limits({ maxPerCall, maxPerDay, key }: ProxyCommandOptions, spent: bigint): string {
  if (key !== undefined || (process.env.ASSAY_API_KEY ?? '') !== '')
    return 'What it may spend is what the grant of its key allows.\n'
  return table([
    ['one call', `at most ${formatOpg(maxPerCall)}`],
    ['24 hours', `at most ${formatOpg(maxPerDay)}, ${formatOpg(spent)} of it spent`],
  ])
}

/** One line a call; nothing of what was asked or answered. */
function describeCall({ method, path, status, milliseconds, answer, failure, id }: ProxyCall): string {
  const receipt = answer?.bundle.receipt
  const verdict =
    failure !== undefined
      ? `✗ ${failure}  ${id}`
      : receipt === undefined
        ? ''
        : `verified ✓ ${formatOpg(receipt.price)}  ${receipt.requestId}`
  return printable(`${method} ${path} ${status} ${milliseconds} ms  ${verdict}`.trimEnd()).concat('\n')
}

/** @throws CliError where another deployment is named, whose receipts would prove nothing here */
function sameNetwork(network: Network, other: Network): Network {
  if (other.chainId === network.chainId && other.deploymentId === network.deploymentId) return other
  throw new CliError('This gateway belongs to another network.', {
    exitCode: EXIT.usage,
    code: 'other_network',
    facts: { gateway: other.gatewayUrl },
    next: 'Give the network.json of another gateway of the same deployment.',
  })
}

function portFromEnvironment(environment: NodeJS.ProcessEnv): number {
  const text = environment.ASSAY_PROXY_PORT
  return text === undefined || text === '' ? STANDARD_PORT : parsePort(text)
}

function originOf(text: string, earlier: string[]): string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.origin === 'null' || url.origin !== text) {
    throw new InvalidArgumentError('An origin is a scheme, a host and a port, e.g. http://localhost:3000.')
  }
  return [...earlier, text]
}

function collected(text: string, earlier: string[]): string[] {
  return [...earlier, text]
}

function alreadyRunning(holder: { pid: number } | undefined): CliError {
  return new CliError('A proxy already runs from this folder.', {
    exitCode: EXIT.failed,
    code: 'already_running',
    facts: holder === undefined ? {} : { pid: holder.pid },
    next: 'Use that one, or give this one another ASSAY_HOME and --network.',
  })
}

function portTaken(port: number, cause: unknown): CliError {
  return new CliError(`Port ${port} is taken.`, {
    exitCode: EXIT.failed,
    code: 'port_taken',
    facts: { port },
    next: 'Stop what uses it, or choose another: assay proxy --port <port>   (or ASSAY_PROXY_PORT=<port>)',
    cause,
  })
}
