/** What quantisation costs: the compiled model beside the float one, on data that calibration has not seen. */

import { activate, decodeOutput, encodeInput } from '../circuit/encoding.ts'
import { ZkmlError } from '../errors.ts'
import { runInference } from '../prover/prove.ts'
import type { CompiledModel } from './compileOnnx.ts'
import type { FloatGraph } from './graph/floatGraph.ts'
import { checkSamples } from './quantise/calibrate.ts'
import { runFloat } from './quantise/runFloat.ts'

export type Accuracy = {
  samples: number
  /** Of outputs after their activation. */
  meanAbsoluteError: number
  largestError: number
  /** Share of samples with the same decision (largest score, or one score's side of a half or of zero). */
  agreement: number
  /** Share of right decisions, where labels are given. */
  floatAccuracy: number | undefined
  compiledAccuracy: number | undefined
}

/** @throws ZkmlError bad_data */
export function measureAccuracy(
  compiled: CompiledModel,
  graph: FloatGraph,
  samples: readonly ArrayLike<number>[],
  labels?: readonly number[],
): Accuracy {
  checkSamples(graph, samples)
  if (labels !== undefined && labels.length !== samples.length)
    throw new ZkmlError('bad_data', 'there must be one label a sample', {
      labels: labels.length,
      samples: samples.length,
    })
  const activation = graph.outputActivation
  const decide = (outputs: readonly number[]): number => {
    if (outputs.length === 1) return Number((outputs[0] as number) > (activation === 'sigmoid' ? 0.5 : 0))
    return outputs.indexOf(outputs.reduce((a, b) => Math.max(a, b)))
  }
  let [sum, count, largest, agreeing, floatRight, compiledRight] = [0, 0, 0, 0, 0, 0]
  for (const [at, sample] of samples.entries()) {
    const scores = Array.from(runFloat(graph, sample).at(-1) as Float64Array)
    const float = activate(activation, scores)
    const integers = decodeOutput(compiled, runInference(compiled.model, encodeInput(compiled, sample)))
    for (const [i, x] of integers.entries()) {
      const error = Math.abs(x - (float[i] as number))
      largest = Math.max(largest, error)
      sum += error
      count++
    }
    if (decide(float) === decide(integers)) agreeing++
    if (decide(float) === labels?.[at]) floatRight++
    if (decide(integers) === labels?.[at]) compiledRight++
  }
  const share = (right: number) => (labels === undefined ? undefined : right / samples.length)
  return {
    samples: samples.length,
    meanAbsoluteError: sum / count,
    largestError: largest,
    agreement: agreeing / samples.length,
    floatAccuracy: share(floatRight),
    compiledAccuracy: share(compiledRight),
  }
}
