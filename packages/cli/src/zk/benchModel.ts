import { decodeModelFile, encodeInput, inputSize, proveInference, runInference } from '@assay/zkml'
import { verifyProof } from '@assay/zkml/verifier'
import { table } from '../output.ts'
import type { Progress } from '../up/progress.ts'
import { readUserFile } from '../userFile.ts'
import { commitTo, parameterCount } from './modelIdentity.ts'
import { MAX_MODEL_BYTES, sampleOf } from './proveInput.ts'

export type BenchResult = {
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
  { input, runs }: { input?: string; runs: number },
  progress: Progress,
): Promise<BenchResult> {
  const compiled = decodeModelFile(readUserFile(modelFile, MAX_MODEL_BYTES, 'a compiled model'))
  const size = inputSize(compiled)
  const values = input === undefined ? new Array<number>(size).fill(0) : sampleOf(input, 0, size)
  const { committed, root, milliseconds } = await commitTo(compiled, progress)
  const encoded = encodeInput(compiled, values)
  const { architecture } = compiled.model.plan
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
      const { output, proof } = timed(times.prove, () => proveInference(committed, encoded))
      const statement = { weightsRoot: committed.commitment.root, input: encoded, output }
      soundnessBits = timed(times.verify, () => verifyProof(architecture, statement, proof)).soundness.bits
      proofBytes = proof.length
    }
    return {
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

export function describeBench({
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
    ['proof', `${proofBytes} bytes, ${soundnessBits.toFixed(1)} bits`],
  ])
}
