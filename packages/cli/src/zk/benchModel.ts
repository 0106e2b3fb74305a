import {
  type CompiledModel,
  decodeModelFile,
  encodeInput,
  inputSize,
  proveInference,
  proveVeiled,
  runInference,
} from '@assay/zkml'
import { verifyProof, verifyVeiledProof } from '@assay/zkml/verifier'
import { table } from '../output.ts'
import type { Progress } from '../up/progress.ts'
import { readUserFile } from '../userFile.ts'
import { hideModel } from './hiddenModel.ts'
import { commitTo, parameterCount } from './modelIdentity.ts'
import { MAX_MODEL_BYTES, sampleOf } from './proveInput.ts'
import { DEFAULT_PROOFS } from './veilFolder.ts'

export type BenchCommand = { input?: string; runs: number; hiding?: true; proofs?: number }

export type BenchResult = {
  kind: 'validity' | 'zk'
  modelRoot: string
  parameters: number
  runs: number
  /** Medians. */
  milliseconds: { plain: number; commit: number; prove: number; verify: number }
  proofBytes: number
  soundnessBits: number
}

/** Times a compiled model on this machine: the same input, proved and verified again and again, the first runs not counted. */
export async function benchModel(
  modelFile: string,
  { input, runs, hiding, proofs = DEFAULT_PROOFS }: BenchCommand,
  progress: Progress,
): Promise<BenchResult> {
  const compiled = decodeModelFile(readUserFile(modelFile, MAX_MODEL_BYTES, 'a compiled model'))
  const size = inputSize(compiled)
  const values = input === undefined ? new Array<number>(size).fill(0) : sampleOf(input, 0, size)
  const { prove, verify, root, milliseconds } = hiding
    ? await hidingProver(compiled, proofs, progress)
    : await convincingProver(compiled, progress)
  const encoded = encodeInput(compiled, values)
  const times = { plain: [] as number[], prove: [] as number[], verify: [] as number[] }
  const timed = <T>(list: number[], run: () => T): T => {
    const started = performance.now()
    const value = run()
    list.push(performance.now() - started)
    return value
  }
  return progress.step('measure', async (detail) => {
    const warmUp = 3
    let [proofBytes, soundnessBits] = [0, 0]
    for (let run = 0; run < warmUp + runs; run++) {
      if (run === warmUp) for (const list of Object.values(times)) list.length = 0
      detail(`run ${run + 1} of ${warmUp + runs}`)
      timed(times.plain, () => runInference(compiled.model, encoded))
      const { output, proof } = timed(times.prove, () => prove(encoded, run))
      const statement = { input: encoded, output }
      soundnessBits = timed(times.verify, () => verify(statement, proof, run)).soundness.bits
      proofBytes = proof.length
    }
    return {
      kind: hiding ? 'zk' : 'validity',
      modelRoot: root,
      parameters: parameterCount(compiled),
      runs,
      milliseconds: {
        plain: median(times.plain),
        commit: milliseconds,
        prove: median(times.prove),
        verify: median(times.verify),
      },
      proofBytes,
      soundnessBits,
    }
  })
}

type Answer = { input: number[]; output: number[] }

async function convincingProver(compiled: CompiledModel, progress: Progress) {
  const { committed, root, milliseconds } = await commitTo(compiled, progress)
  const { architecture } = compiled.model.plan
  const weightsRoot = committed.commitment.root
  return {
    root,
    milliseconds,
    prove: (input: number[]) => proveInference(committed, input),
    verify: (answer: Answer, proof: Uint8Array) =>
      verifyProof(architecture, { ...answer, weightsRoot }, proof),
  }
}

/** Masks of a seed that nobody keeps: they are spent again and again here, and no proof leaves this process. */
async function hidingProver(compiled: CompiledModel, proofs: number, progress: Progress) {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const { veiled, root, milliseconds } = await hideModel(compiled, { seed, proofs }, progress)
  const { architecture } = compiled.model.plan
  const weightsRoot = veiled.weights.commitment.root
  return {
    root,
    milliseconds,
    prove: (input: number[], run: number) => proveVeiled(veiled, input, run % proofs),
    verify: (answer: Answer, proof: Uint8Array, run: number) =>
      verifyVeiledProof(architecture, { ...answer, weightsRoot, proofs, use: run % proofs }, proof),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

export function describeBench({
  kind,
  modelRoot,
  parameters,
  runs,
  milliseconds,
  proofBytes,
  soundnessBits,
}: BenchResult): string {
  const time = (value: number) => `${value.toFixed(1)} ms`
  return table([
    ['model', modelRoot],
    ['parameters', String(parameters)],
    ['plain run', time(milliseconds.plain)],
    ['commit', `${time(milliseconds.commit)}, once`],
    ['prove', `${time(milliseconds.prove)}, median of ${runs}`],
    ['verify', time(milliseconds.verify)],
    ['proof', `${kind}, ${proofBytes} bytes, ${soundnessBits.toFixed(1)} bits`],
  ])
}
