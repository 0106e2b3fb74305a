import { formatOpg, MODE_NAMES, receiptToJson } from '@assay/protocol'
import { type ChatOutput, type ChatResult, createAssay, SdkError, type Wait } from '@assay/sdk'
import { trustsSimulation } from '@assay/verify'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { opgOption } from '../amount.ts'
import { saveBundle, waitFor } from '../bundleFile.ts'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { keepAnswer } from '../keptAnswer.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { stoppable } from '../stoppable.ts'
import { payingWith } from '../wallet.ts'

type ChatOptions = {
  model?: string
  system?: string
  maxTokens: number
  temperature?: number
  seed?: number
  stream: boolean
  buffer?: true
  confidential?: true
  save?: string
  wait?: Wait
  scheme: 'upto' | 'exact'
  maxPrice: bigint
  key?: string
  network?: string
  json?: true
}

export function registerChat(program: Command, context: CommandContext): void {
  program
    .command('chat')
    .description('Ask a model; the answer is paid for, verified and settled.')
    .argument('<prompt>', 'what to ask', someText)
    .option('--model <name>', 'model; default the first of the network')
    .option('--system <text>', 'system message')
    .option('--max-tokens <n>', 'longest answer, tokens', positiveNumber, 256)
    .option('--temperature <t>', 'sampling temperature, 0 to 2', temperature)
    .option('--seed <n>', 'sampling seed', wholeNumber)
    .option('--no-stream', 'ask for a whole answer, verified before it is shown')
    .option('--buffer', 'stream, but show nothing before it is verified')
    .option('--save <file>', 'write a proof bundle (waits until the answer is final)')
    .addOption(
      new Option('--wait <state>', 'how long to wait behind the answer').choices([
        'answer',
        'settled',
        'final',
      ]),
    )
    .addOption(new Option('--scheme <scheme>', 'x402 scheme').choices(['upto', 'exact']).default('upto'))
    .addOption(opgOption('--max-price <OPG>', 'most that the call may cost', '10'))
    .option(
      '--confidential',
      'encrypt to an attested enclave: the gateway sees who pays and sizes, never a word',
    )
    .option('--key <key>', 'pay under a grant with its API key, or ASSAY_API_KEY; nothing is signed')
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print {chatOutput, transactionHash, receipt, report}')
    .action((prompt: string, options: ChatOptions) => chat(prompt, options, context))
}

async function chat(prompt: string, options: ChatOptions, { output }: CommandContext): Promise<void> {
  const network = networkFor(options.network)
  const model = options.model ?? network.models[0]?.name
  if (model === undefined) {
    throw new CliError('The network lists no model.', {
      exitCode: EXIT.failed,
      code: 'no_model',
      next: 'assay doctor',
    })
  }
  const wait = waitFor(options)
  const quiet = options.json === true
  const assay = createAssay({
    network,
    ...payingWith(options, network),
    maxPerCall: options.maxPrice,
    scheme: options.scheme,
    buffer: options.buffer ?? false,
    confidential: options.confidential ?? false,
  })
  const asked = {
    model,
    messages: [
      ...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]),
      { role: 'user', content: prompt },
    ],
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
    wait,
  }
  let seen = ''
  const show = (text: string) => {
    if (!quiet) output.out(printable(text))
    seen += text
  }
  const result = await stoppable(
    {
      onVerified() {
        if (!quiet && wait !== 'answer' && output.isTerminal)
          output.err(`\nverified ✓  waiting until it is ${wait} …\n`)
      },
      onLeaving() {
        if (!quiet) output.err('\nstopping: what was said till now is verified … (again: end at once)\n')
      },
      seen: (): ChatOutput => ({ role: 'assistant', content: seen }),
    },
    async (leaving) => {
      const { call } = leaving
      if (!options.stream) return assay.llm.chat({ ...asked, ...call })
      const stream = await assay.llm.stream({ ...asked, ...call })
      leaving.stream(stream)
      for await (const text of stream) show(text)
      call.signal.throwIfAborted()
      return stream.result
    },
  ).catch((error: unknown) => {
    const shown = !quiet && seen !== ''
    // Whatever was already shown ends on its own line, so that the error stands out.
    if (shown) output.out('\n')
    if (error instanceof SdkError && error.code === 'over_limit') throw overLimit(error)
    throw keepAnswer(error, {
      save: options.save,
      asTold: (output) => (quiet ? output : shown ? undefined : (output as ChatOutput).content || undefined),
    })
  })
  if (options.save !== undefined) saveBundle(options.save, result.bundle)
  if (quiet) {
    const { chatOutput, transactionHash, receipt, report } = result
    output.out(toJsonText({ chatOutput, transactionHash, receipt: receiptToJson(receipt), report }))
    return
  }
  output.out(`${options.stream ? '' : printable(result.chatOutput.content)}\n\n`)
  output.out(summary(result, options.save))
}

/** Of what was read when it was verified: a chain that goes away behind that takes nothing from it. */
function summary({ receipt, transactionHash, report }: ChatResult, saved: string | undefined): string {
  const mode = `${MODE_NAMES[receipt.mode] ?? receipt.mode}${trustsSimulation(report) ? ', SIMULATED enclave (development only)' : ''}`
  const rows: [string, string][] = [
    ['request id', receipt.requestId],
    ['transaction', transactionHash ?? 'not yet settled'],
    ['mode', mode],
    ['price', formatOpg(receipt.price)],
  ]
  if (saved !== undefined) rows.push(['bundle', `${saved}   (check it: assay verify ${saved})`])
  rows.push(['trust', report.trust])
  return `verified ✓  the node signed exactly the bytes sent and received\n${table(rows)}`
}

/** The same refusal in the words and the unit of this command. */
function overLimit({ code, shortMessage, facts }: SdkError): CliError {
  const { quote, maxPerCall } = facts
  return new CliError(shortMessage, {
    exitCode: EXIT.failed,
    code,
    facts: { quote: formatOpg(BigInt(String(quote))), limit: formatOpg(BigInt(String(maxPerCall))) },
    next: 'Allow more with --max-price <OPG>, or ask for fewer tokens with --max-tokens <n>.',
  })
}

function someText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.')
  return text
}

function positiveNumber(text: string): number {
  const value = wholeNumber(text)
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.')
  return value
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number, without a sign and of at most 9 digits.')
  return Number(text)
}

function temperature(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 2))
    throw new InvalidArgumentError('It must be a number from 0 to 2.')
  return value
}
