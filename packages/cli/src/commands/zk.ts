import { type Command, InvalidArgumentError } from 'commander'
import { EXIT } from '../cliError.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { createProgress } from '../up/progress.ts'
import { type BenchCommand, benchModel, describeBench } from '../zk/benchModel.ts'
import { type CompileCommand, compileModel, describeCompiled } from '../zk/compileModel.ts'
import { type ProveCommand, proveInput } from '../zk/proveInput.ts'
import { describeProof, type VerifyCommand, verifyProofFile } from '../zk/verifyProofFile.ts'

type Json = { json?: true }

/** Proofs of inference by hand: no network, no keys. */
export function registerZk(program: Command, { output, exit }: CommandContext): void {
  const zk = program
    .command('zk')
    .description('Compile ONNX models to circuits; prove and verify their answers.')
  const say = <T>(options: Json, value: T, describe: (value: T) => string) =>
    output.out(options.json === true ? toJsonText(value) : describe(value))

  zk.command('compile')
    .description('Quantise an ONNX model to int8, calibrated on data, and measure what that costs.')
    .argument('<model.onnx>')
    .requiredOption('--calibrate <data>', 'typical inputs: .json, .csv or .npy, a few hundred')
    .option('--test <data>', 'inputs, and labels if there are, to measure the accuracy on')
    .option('--output <name>', 'the tensor to prove; default the model’s only output')
    .option('-o, --out <file>', 'where to write', 'model.azk')
    .option('--json', 'print JSON')
    .action(async (onnx: string, options: CompileCommand & Json) => {
      say(options, await compileModel(onnx, options, createProgress(output)), describeCompiled)
    })

  zk.command('prove')
    .description('Run a compiled model on an input and prove the run.')
    .argument('<model.azk>')
    .requiredOption('--input <data>', 'a file of one or more inputs: .json, .csv or .npy')
    .option('--index <n>', 'which of them', wholeNumber, 0)
    .option('-o, --out <file>', 'where to write', 'proof.azp')
    .option('--hiding', 'hide weights and intermediate values')
    .option('--hide-input', 'hide the input too; what shows it to an auditor goes to <file>.opening')
    .option('--veil <folder>', 'the masks of the model, each spent once; default <model.azk>.veil')
    .option('--proofs <n>', 'how many proofs new masks are good for; default 16', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (model: string, options: ProveCommand & Json) => {
      const result = await proveInput(model, options, createProgress(output))
      say(options, result, ({ scores, file, bytes, kind }) => {
        const shown = scores.slice(0, 16).map((x) => Number(x.toPrecision(5)))
        const list = `${shown.join(', ')}${scores.length > 16 ? ', …' : ''}`
        return `${list}\n\nwritten  ${file} (${kind}, ${bytes} bytes)\n`
      })
    })

  zk.command('verify')
    .description('Check a proof: without weights, without running the model, offline.')
    .argument('<proof.azp>')
    .option('--root <root>', 'the model root it must be about')
    .option('--model <model.azk>', 'the compiled model it must be about')
    .option('--veil <folder>', 'the masks of the model, to recompute the root of a proof that hides')
    .option('--input <data>', 'the input it must be about; needs --model')
    .option('--opening <file>', 'what shows a hidden input')
    .option('--index <n>', 'which input of the file', wholeNumber, 0)
    .option('--json', 'print JSON')
    .action(async (file: string, options: VerifyCommand & Json) => {
      const report = await verifyProofFile(file, options, createProgress(output))
      say(options, report, describeProof)
      exit(report.ok ? EXIT.ok : EXIT.failed)
    })

  zk.command('bench')
    .description('Time a compiled model on this machine.')
    .argument('<model.azk>')
    .option('--input <data>', 'an input to prove; default zeros')
    .option('--runs <n>', 'how often', wholeNumber, 7)
    .option('--hiding', 'proofs that hide weights and intermediate values')
    .option('--proofs <n>', 'how many proofs their masks are good for; default 16', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (model: string, options: BenchCommand & Json) => {
      const runs = Math.max(1, options.runs)
      say(options, await benchModel(model, { ...options, runs }, createProgress(output)), describeBench)
    })
}

function wholeNumber(value: string): number {
  if (!/^\d{1,6}$/.test(value))
    throw new InvalidArgumentError('It must be a whole number of at most 6 digits.')
  return Number(value)
}
