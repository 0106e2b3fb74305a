/**
 * Proofs of inference over model sizes: publication, proving, verifying, bytes and memory, beside plain int8 inference in
 * the same process. Processor time is given beside the clock, since a busy machine inflates the clock only.
 */
import {
  type CommittedModel,
  commitModel,
  createWorkspace,
  type Model,
  proveInference,
  runInference,
  verifyProof,
} from '@assay/zkml'
import { number, printTable } from '../table.ts'
import { benchHiding } from './benchHiding.ts'
import { benchPeers } from './benchPeers.ts'
import { benchTrained } from './benchTrained.ts'
import { measure, milliseconds, type Timing } from './measure.ts'
import { convolutional, parameterCount, perceptron } from './models.ts'

/** Largest and smallest matter for the fit; the middle ones are those that others publish. */
const PERCEPTRONS: readonly (readonly number[])[] = [
  [64, 128, 10],
  [112, 128, 20],
  [256, 256, 128, 10],
  [1024, 512, 512, 384, 128, 10],
  [2048, 1024, 1024, 896, 10],
  [4096, 2048, 768, 10],
]
const WARM_UP = 3
const RUNS = 7

type Row = { name: string; parameters: number; prove: Timing; verify: Timing; cells: string[] }

function benchModel(name: string, model: Model): Row {
  const parameters = parameterCount(model)
  let committed: CommittedModel | undefined
  const commit = measure(1, () => {
    committed = commitModel(createWorkspace(), model)
  })
  const ready = committed as unknown as CommittedModel
  const { architecture } = model.plan
  const size = architecture.input.channels * architecture.input.height * architecture.input.width
  const inputOf = (at: number) => Array.from({ length: size }, (_, i) => ((i * 37 + at * 101) % 255) - 127)
  let proved = proveInference(ready, inputOf(0))
  for (let at = 0; at < WARM_UP; at++) proved = proveInference(ready, inputOf(at))
  const prove = measure(RUNS, (at) => {
    proved = proveInference(ready, inputOf(at))
  })
  const statement = {
    weightsRoot: ready.commitment.root,
    input: inputOf(RUNS - 1),
    output: proved.output,
  }
  let bits = 0
  const check = () => {
    bits = verifyProof(architecture, statement, proved.proof).soundness.bits
  }
  for (let at = 0; at < WARM_UP; at++) check()
  const verify = measure(RUNS, check)
  const plain = measure(RUNS, (at) => {
    runInference(model, inputOf(at))
  })
  const memory = ready.work.arena.memory.buffer.byteLength / 2 ** 20
  const cells = [
    name,
    number(parameters),
    milliseconds(plain),
    milliseconds(commit),
    milliseconds(prove),
    milliseconds(verify),
    number(proved.proof.length / 1000, 1),
    number(memory),
    bits.toFixed(1),
    `${number(prove.processor / plain.processor)}×`,
  ]
  return { name, parameters, prove, verify, cells }
}

/** Slope of log(y) against log(x) by least squares: how cost grows. */
function exponent(points: readonly { x: number; y: number }[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }))
  const mean = (pick: (point: { x: number; y: number }) => number) =>
    logs.reduce((sum, point) => sum + pick(point), 0) / logs.length
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)]
  const above = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0)
  return above / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
}

export async function benchZkml(): Promise<void> {
  const rows = PERCEPTRONS.map((layers) => benchModel(`MLP ${layers.join('-')}`, perceptron(layers)))
  const image = benchModel('CNN 3×32×32', convolutional())
  const head = [
    'model',
    'parameters',
    'plain',
    'commit',
    'prove',
    'verify',
    'kB',
    'MiB',
    'bits',
    'prove/plain',
  ]
  printTable(
    'Proofs of inference, one thread: milliseconds by the clock (and of processor time), median',
    head,
    [...rows, image].map(({ cells }) => cells),
  )
  const fit = (pick: (row: Row) => number) =>
    exponent(rows.map((row) => ({ x: row.parameters, y: pick(row) }))).toFixed(2)
  console.log(
    `Growth over MLPs: prove time ~ parameters^${fit(({ prove }) => prove.processor)}, ` +
      `verify ~ parameters^${fit(({ verify }) => verify.processor)}`,
  )
  benchTrained()
  benchHiding()
  benchPeers()
}
