import { formatOpg, type InferAnswer, MODE_NAMES, receiptToJson } from '@assay/protocol'
import { createAssay, type InferResult, type Wait } from '@assay/sdk'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { saveBundle, waitFor } from '../bundleFile.ts'
import { networkFor } from '../home.ts'
import { keepAnswer } from '../keptAnswer.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { stoppable } from '../stoppable.ts'
import { walletKey } from '../wallet.ts'
import { sampleOf } from '../zk/proveInput.ts'

type InferOptions = {
  model: string
  input: string
  index: number
  verification: 'auto' | 'zk'
  wait?: Wait
  save?: string
  network?: string
  json?: true
}

const MAX_NUMBERS_SHOWN = 16

export function registerInfer(program: Command, context: CommandContext): void {
  program
    .command('infer')
    .description('Send numbers through a circuit; the answer comes at once, its proof right behind.')
    .requiredOption('--model <name>', 'model, as the network lists it')
    .requiredOption('--input <data>', 'a file of one or more inputs: .json, .csv or .npy')
    .option('--index <n>', 'which of them', wholeNumber, 0)
    .addOption(
      new Option('--verification <mode>', 'how the answer is to be verified')
        .choices(['auto', 'zk'])
        .default('zk'),
    )
    .addOption(
      new Option(
        '--wait <state>',
        'how long to wait behind the answer: settled and final have the proof',
      ).choices(['answer', 'settled', 'final']),
    )
    .option('--save <file>', 'write a proof bundle (waits until the answer is final)')
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print {output, tensor, transactionHash, receipt, report}')
    .action((options: InferOptions) => infer(options, context))
}

async function infer(options: InferOptions, { output }: CommandContext): Promise<void> {
  const network = networkFor(options.network)
  const input = sampleOf(options.input, options.index)
  const wait = waitFor(options)
  const quiet = options.json === true
  const assay = createAssay({ network, privateKey: walletKey(network) })
  const { model, verification } = options
  const result = await stoppable(
    {
      onVerified() {
        if (!quiet && wait !== 'answer' && output.isTerminal)
          output.err(`answered and signed ✓  waiting for the proof, until it is ${wait} …\n`)
      },
    },
    ({ call }) => assay.infer({ model, input, verification, wait, ...call }),
  ).catch((error: unknown) => {
    throw keepAnswer(error, {
      save: options.save,
      asTold: (answer) => (quiet ? answer : numbersIn((answer as InferAnswer).output)),
    })
  })
  if (options.save !== undefined) saveBundle(options.save, result.bundle)
  if (quiet) {
    const { output: numbers, tensor, transactionHash, receipt, report } = result
    const json = { output: numbers, tensor, transactionHash, receipt: receiptToJson(receipt), report }
    output.out(toJsonText(json))
    return
  }
  output.out(describe(result, options.save))
}

function describe(result: InferResult, saved: string | undefined): string {
  const { receipt, report, transactionHash } = result
  const proof = report.steps.find(({ name }) => name === 'proofHolds')
  const rows: [string, string][] = [
    ['request id', receipt.requestId],
    ['transaction', transactionHash ?? 'not yet settled'],
    ['mode', MODE_NAMES[receipt.mode] ?? String(receipt.mode)],
    ['proof', `${proof?.outcome ?? 'skipped'}: ${proof?.reason ?? 'none is promised.'}`],
    ['price', formatOpg(receipt.price)],
  ]
  if (saved !== undefined) rows.push(['bundle', `${saved}   (check it: assay verify ${saved})`])
  rows.push(['trust', report.trust])
  return printable(`${numbersIn(result.output)}\n\n${table(rows)}`)
}

function numbersIn(output: readonly number[]): string {
  const shown = output.slice(0, MAX_NUMBERS_SHOWN).map((x) => Number(x.toPrecision(6)))
  return `${shown.join(', ')}${output.length > shown.length ? ', …' : ''}`
}

function wholeNumber(value: string): number {
  if (!/^\d{1,6}$/.test(value))
    throw new InvalidArgumentError('It must be a whole number of at most 6 digits.')
  return Number(value)
}
