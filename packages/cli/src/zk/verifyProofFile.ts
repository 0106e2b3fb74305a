import {
  type CompiledModel,
  createWorkspace,
  decodeModelFile,
  decodeOutput,
  encodeInput,
  hiddenInputRoot,
  inputSize,
} from '@assay/zkml'
import {
  decodeProofFile,
  decodeVeiledProofFile,
  type HiddenInput,
  isHidden,
  isVeiledProofFile,
  modelRootOf,
  planCircuit,
  type Soundness,
  type VeiledStatement,
  veilCircuit,
  veiledModelRoot,
  verifyProof,
  verifyVeiledProof,
  ZkmlError,
} from '@assay/zkml/verifier'
import { CliError, EXIT } from '../cliError.ts'
import type { Progress } from '../up/progress.ts'
import { readUserFile } from '../userFile.ts'
import { hideModel } from './hiddenModel.ts'
import { readOpening } from './inputOpening.ts'
import { commitTo, hex } from './modelIdentity.ts'
import { MAX_MODEL_BYTES, sampleOf } from './proveInput.ts'
import { readVeil } from './veilFolder.ts'

const MAX_PROOF_BYTES = 2 ** 27

export type VerifyCommand = {
  /** What shows a hidden input. */
  opening?: string
  model?: string
  veil?: string
  root?: string
  input?: string
  index: number
}

type Step = { name: string; outcome: 'passed' | 'failed' | 'skipped'; reason: string }

export type ProofReport = {
  ok: boolean
  file: string
  /** What the proof hides; null where it does not hold. */
  kind: 'validity' | 'zk' | null
  hidesInput: boolean
  modelRoot: string
  steps: Step[]
  output: readonly number[]
  /** The output in the model's own numbers; null without the compiled model. */
  scores: number[] | null
  soundnessBits: number | null
}

export async function verifyProofFile(
  file: string,
  { model, veil, root, input, index, opening }: VerifyCommand,
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
  const { statement, modelRoot, hides, verify } = readProof(readUserFile(file, MAX_PROOF_BYTES, 'a proof'))
  const compiled =
    model === undefined
      ? undefined
      : decodeModelFile(readUserFile(model, MAX_MODEL_BYTES, 'a compiled model'))
  const computed = compiled && (await rootOf(compiled, hides, veil, progress))
  const known = computed ?? root?.toLowerCase()

  let verified: { kind: 'validity' | 'zk'; soundness: Soundness } | undefined
  const steps: Step[] = []
  const step = (name: string, outcome: Step['outcome'], reason: string) =>
    steps.push({ name, outcome, reason })
  try {
    verified = verify()
    const bits = Math.floor(verified.soundness.bits)
    step('proof', 'passed', `a false statement passes with a chance below 2^-${bits}`)
  } catch (error) {
    if (!(error instanceof ZkmlError)) throw error
    step('proof', 'failed', error.shortMessage)
  }
  if (known === undefined)
    step(
      'model',
      'skipped',
      `give ${hides ? '--model with --veil,' : '--model'} or --root to say which it must be`,
    )
  else
    step(
      'model',
      known === modelRoot ? 'passed' : 'failed',
      known === modelRoot ? 'the root is the one given' : `another model: not ${known}`,
    )
  if (root !== undefined && computed !== undefined && root.toLowerCase() !== computed)
    step('root', 'failed', `--model has the root ${known}, not the one given`)
  if (compiled === undefined || input === undefined)
    step('input', 'skipped', 'give --model and --input to compare it')
  else {
    const sample = sampleOf(input, index, inputSize(compiled))
    if (!isHidden(statement.input)) step('input', ...sameInput(compiled, sample, statement.input))
    else if (opening === undefined) step('input', 'skipped', 'it is hidden: give --opening to compare it')
    else step('input', ...opensTo(compiled, sample, readOpening(opening), statement.input))
  }
  return {
    ok: steps.every(({ outcome }) => outcome !== 'failed'),
    file,
    kind: verified?.kind ?? null,
    hidesInput: isHidden(statement.input),
    modelRoot,
    steps,
    output: Array.from(statement.output),
    scores:
      compiled !== undefined && known === modelRoot
        ? decodeOutput(compiled, Array.from(statement.output))
        : null,
    soundnessBits: verified?.soundness.bits ?? null,
  }
}

type ReadProof = {
  statement: Pick<VeiledStatement, 'input' | 'output'>
  hides: boolean
  modelRoot: string
  verify: () => { kind: 'validity' | 'zk'; soundness: Soundness }
}

/** Either kind of proof, by the file's magic word. */
function readProof(bytes: Uint8Array): ReadProof {
  if (isVeiledProofFile(bytes)) {
    const { architecture, statement, proof } = decodeVeiledProofFile(bytes)
    const circuit = veilCircuit(architecture, statement.proofs)
    return {
      statement,
      hides: true,
      modelRoot: hex(veiledModelRoot(circuit, statement.weightsRoot)),
      verify: () => verifyVeiledProof(architecture, statement, proof),
    }
  }
  const { architecture, statement, proof } = decodeProofFile(bytes)
  return {
    statement,
    hides: false,
    modelRoot: hex(modelRootOf(planCircuit(architecture), statement.weightsRoot)),
    verify: () => verifyProof(architecture, statement, proof),
  }
}

/** The model's root, computed; under masks only whoever has those can. */
async function rootOf(
  compiled: CompiledModel,
  hides: boolean,
  veil: string | undefined,
  progress: Progress,
): Promise<string | undefined> {
  if (!hides) return (await commitTo(compiled, progress)).root
  return veil === undefined ? undefined : (await hideModel(compiled, readVeil(veil), progress)).root
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

function opensTo(
  compiled: CompiledModel,
  values: readonly number[],
  seed: Uint8Array,
  { root }: HiddenInput,
): [Step['outcome'], string] {
  const { architecture } = compiled.model.plan
  const found = hiddenInputRoot(createWorkspace(), architecture, encodeInput(compiled, values), seed)
  return hex(found) === hex(root)
    ? ['passed', 'the hidden input is the sample given, as the model encodes it']
    : ['failed', 'the proof is about another input, or this opening is another proof’s']
}

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const

/** Said of every proof that holds, so that nobody takes one kind for the other. */
const HIDES = {
  validity: 'nothing: it convinces, no more (validity)',
  zk: 'weights and intermediate values, from whoever has proofs only (zk); architecture, input and output are public',
  zkInput:
    'input, weights and intermediate values, from whoever has proofs only (zk); architecture and output are public',
} as const

export function describeProof({
  ok,
  file,
  kind,
  hidesInput,
  modelRoot,
  steps,
  scores,
  output,
}: ProofReport): string {
  const lines = steps.map(({ name, outcome, reason }) => `  ${MARKS[outcome]} ${name.padEnd(6)} ${reason}\n`)
  const shown = (scores ?? output)
    .slice(0, 16)
    .map((x) => Number(x.toPrecision(5)))
    .join(', ')
  const answer = `  output  ${shown}${output.length > 16 ? ', …' : ''}${scores === null ? ' (integers)' : ''}\n`
  const hides = kind === null ? '' : `  hides   ${HIDES[hidesInput ? 'zkInput' : kind]}\n`
  return `${lines.join('')}\n  model   ${modelRoot}\n${hides}${ok ? answer : ''}\n${ok ? 'verified ✓' : 'NOT verified ✗'}  ${file}\n`
}
