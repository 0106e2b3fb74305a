import { type CompiledModel, decodeModelFile, decodeOutput, encodeInput, inputSize } from '@assay/zkml'
import { decodeProofFile, modelRootOf, planCircuit, verifyProof, ZkmlError } from '@assay/zkml/verifier'
import { CliError, EXIT } from '../cliError.ts'
import type { Progress } from '../up/progress.ts'
import { readUserFile } from '../userFile.ts'
import { commitTo, hex } from './modelIdentity.ts'
import { MAX_MODEL_BYTES, sampleOf } from './proveInput.ts'

const MAX_PROOF_BYTES = 2 ** 27

export type VerifyCommand = { model?: string; root?: string; input?: string; index: number }

type Step = { name: string; outcome: 'passed' | 'failed' | 'skipped'; reason: string }

export type ProofReport = {
  ok: boolean
  file: string
  modelRoot: string
  steps: Step[]
  output: readonly number[]
  /** The output in the model's own numbers; null without the compiled model. */
  scores: number[] | null
  soundnessBits: number | null
}

export async function verifyProofFile(
  file: string,
  { model, root, input, index }: VerifyCommand,
  progress: Progress,
): Promise<ProofReport> {
  if (root !== undefined && !/^0x[0-9a-f]{64}$/i.test(root))
    throw new CliError('A model root is 0x and 64 hex digits.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { root },
    })
  if (input !== undefined && model === undefined)
    throw new CliError(
      'To compare the input, the compiled model is needed: it says how inputs are encoded.',
      {
        exitCode: EXIT.usage,
        code: 'usage',
        next: 'add --model MODEL.azk',
      },
    )
  const { architecture, statement, proof } = decodeProofFile(readUserFile(file, MAX_PROOF_BYTES, 'a proof'))
  const modelRoot = hex(modelRootOf(planCircuit(architecture), statement.weightsRoot))
  const compiled =
    model === undefined
      ? undefined
      : decodeModelFile(readUserFile(model, MAX_MODEL_BYTES, 'a compiled model'))
  const known = compiled === undefined ? root?.toLowerCase() : (await commitTo(compiled, progress)).root

  let soundnessBits: number | null = null
  const steps: Step[] = []
  const step = (name: string, outcome: Step['outcome'], reason: string) =>
    steps.push({ name, outcome, reason })
  try {
    soundnessBits = verifyProof(architecture, statement, proof).soundness.bits
    step('proof', 'passed', `a false statement passes with a chance below 2^-${Math.floor(soundnessBits)}`)
  } catch (error) {
    if (!(error instanceof ZkmlError)) throw error
    step('proof', 'failed', error.shortMessage)
  }
  if (known === undefined) step('model', 'skipped', 'give --model or --root to say which model it must be')
  else
    step(
      'model',
      known === modelRoot ? 'passed' : 'failed',
      known === modelRoot ? 'the root is the one given' : `another model: not ${known}`,
    )
  if (root !== undefined && compiled !== undefined && root.toLowerCase() !== known)
    step('root', 'failed', `--model has the root ${known}, not the one given`)
  if (compiled === undefined || input === undefined)
    step('input', 'skipped', 'give --model and --input to compare it')
  else step('input', ...sameInput(compiled, sampleOf(input, index, inputSize(compiled)), statement.input))
  return {
    ok: steps.every(({ outcome }) => outcome !== 'failed'),
    file,
    modelRoot,
    steps,
    output: Array.from(statement.output),
    scores:
      compiled !== undefined && known === modelRoot
        ? decodeOutput(compiled, Array.from(statement.output))
        : null,
    soundnessBits,
  }
}

function sameInput(
  compiled: CompiledModel,
  values: readonly number[],
  proved: ArrayLike<number>,
): [Step['outcome'], string] {
  const encoded = encodeInput(compiled, values)
  const same = encoded.length === proved.length && encoded.every((x, at) => x === proved[at])
  return same
    ? ['passed', 'it is the sample given, as the model encodes it']
    : ['failed', 'the proof is about another input']
}

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const

export function describeProof({ ok, file, modelRoot, steps, scores, output }: ProofReport): string {
  const lines = steps.map(({ name, outcome, reason }) => `  ${MARKS[outcome]} ${name.padEnd(6)} ${reason}\n`)
  const shown = (scores ?? output)
    .slice(0, 16)
    .map((x) => Number(x.toPrecision(5)))
    .join(', ')
  const answer = `  output  ${shown}${output.length > 16 ? ', …' : ''}${scores === null ? ' (integers)' : ''}\n`
  return `${lines.join('')}\n  model   ${modelRoot}\n${ok ? answer : ''}\n${ok ? 'verified ✓' : 'NOT verified ✗'}  ${file}\n`
}
