/**
 * The same models proved by us, by EZKL and by Noir's UltraHonk, beside plain inference by onnxruntime. The processor's time
 * is what to compare where others share the machine; ours is one thread, theirs are all.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  commitModel,
  compileOnnx,
  createWorkspace,
  encodeInput,
  type Model,
  proveInference,
  runInference,
  verifyProof,
} from '@assay/zkml'
import { number, printTable } from '../table.ts'
import { measure, milliseconds, type Timing } from './measure.ts'
import { parameterCount } from './models.ts'
import { noirSource } from './noirSource.ts'
import {
  type CnnShape,
  type EzklShape,
  makeCnn,
  noirIsHere,
  type ProofCost,
  pythonIsHere,
  runNoir,
  runPython,
} from './peers.ts'

type Files = { onnx: string; data: string }
type Peered = {
  name: string
  files: () => Files
  ezkl: EzklShape | null
  ultraHonk: boolean
  /** Its file is made by Python, and not there without it. */
  drawn?: true
}

const trained = (name: string, data: string) => (): Files => {
  const file = (short: string) =>
    fileURLToPath(new URL(`../../../packages/zkml/models/${short}`, import.meta.url))
  return { onnx: file(`${name}.onnx`), data: file(`${data}.json`) }
}

const drawnCnn = (name: string, shape: CnnShape, ezkl: EzklShape): Peered => ({
  ...{ name, ezkl, ultraHonk: false, drawn: true },
  files: () => makeCnn(name, shape),
})

/**
 * EZKL's columns are chosen so that its circuit has the fewest rows its tables allow; the digits CNN with its default of
 * two columns would need 2^20. UltraHonk's circuits must fit the reference string, 2^17 gates.
 */
const MODELS: readonly Peered[] = [
  {
    name: 'payments-mlp-4k',
    files: trained('payments-mlp-4k', 'payments'),
    ezkl: { columns: 2, logrows: 15 },
    ultraHonk: true,
  },
  {
    name: 'digits-mlp-17k',
    files: trained('digits-mlp-17k', 'digits'),
    ezkl: { columns: 2, logrows: 15 },
    ultraHonk: true,
  },
  drawnCnn('cnn-5k', { first: 4, second: 8, hidden: 32, side: 8 }, { columns: 4, logrows: 15 }),
  drawnCnn('cnn-19k', { first: 4, second: 8, hidden: 64, side: 12 }, { columns: 12, logrows: 15 }),
  {
    name: 'digits-mlp-100k',
    files: trained('digits-mlp-100k', 'digits'),
    ezkl: { columns: 8, logrows: 15 },
    ultraHonk: false,
  },
  {
    name: 'digits-cnn-267k',
    files: trained('digits-cnn-267k', 'digits'),
    // More than 18 GB, and more than ten minutes.
    ezkl: process.env.ASSAY_BENCH_LARGE === '1' ? { columns: 32, logrows: 17 } : null,
    ultraHonk: false,
  },
]

const HEAD = ['', 'prove, ms', 'verify, ms', 'kB', 'MiB', 'over plain int8', 'to ours']
const [WARM_UP, RUNS] = [5, 15]

type Ours = ProofCost & { plain: Timing }

function proveOurs(model: Model, input: readonly number[]): Ours {
  const committed = commitModel(createWorkspace(), model)
  let proved = proveInference(committed, input)
  const plain = measure(RUNS, () => {
    runInference(model, input)
  })
  const prove = measure(WARM_UP + RUNS, () => {
    proved = proveInference(committed, input)
  })
  const statement = { weightsRoot: committed.commitment.root, input, output: proved.output }
  const verify = measure(WARM_UP + RUNS, () => {
    verifyProof(model.plan.architecture, statement, proved.proof)
  })
  return { plain, prove, verify, verified: true, bytes: proved.proof.length }
}

function benchOne({ name, files, ezkl, ultraHonk }: Peered): void {
  const { onnx, data } = files()
  const { calibrate, inputs } = JSON.parse(readFileSync(data, 'utf8')) as Record<string, number[][]>
  const values = inputs?.[0] ?? []
  const { compiled } = compileOnnx(readFileSync(onnx), calibrate ?? [])
  const { model } = compiled
  const x = encodeInput(compiled, values)
  const ours = proveOurs(model, x)
  const job = { name, onnx, calibrate: calibrate?.slice(0, 64) ?? [], input: values, ezkl }
  const python = pythonIsHere ? runPython(job) : undefined
  const int8 = python?.onnxruntime.int8.processor
  const row = (system: string, cost: ProofCost, memory?: number) => [
    system,
    milliseconds(cost.prove),
    milliseconds(cost.verify),
    number(cost.bytes / 1000, 1),
    memory === undefined ? '–' : number(memory / 2 ** 20),
    int8 === undefined ? '–' : `${number(cost.prove.processor / int8)}×`,
    `${number(cost.prove.processor / ours.prove.processor, 1)}×`,
  ]
  const plain = (system: string, { clock, processor }: Timing) => [
    system,
    `${number(clock, 3)} (${number(processor, 3)})`,
    '',
    '',
    '',
    int8 === undefined ? '–' : `${number(processor / int8, 1)}×`,
    '',
  ]
  const skipped = (system: string) => [`${system}: skipped`, '–', '–', '–', '–', '–', '–']
  const rows = [plain('plain int8, ours in TypeScript', ours.plain)]
  if (python === undefined) rows.push(skipped('plain, onnxruntime'))
  else {
    rows.push(plain('plain float32, onnxruntime', python.onnxruntime.float32))
    rows.push(plain('plain int8, onnxruntime', python.onnxruntime.int8))
  }
  rows.push(row('ours', ours))
  if (python?.ezkl === undefined || ezkl === null) rows.push(skipped('EZKL'))
  else {
    if (!python.ezkl.verified) throw new Error(`EZKL's proof of ${name} does not verify`)
    rows.push(row(`EZKL, 2^${ezkl.logrows} rows`, python.ezkl, python.ezkl.memory))
  }
  const source = ultraHonk ? noirSource(model) : undefined
  // Its reference string is made of EZKL's where the ceremony's is not at hand.
  if (source !== undefined && !(noirIsHere && pythonIsHere)) rows.push(skipped('UltraHonk'))
  else if (source !== undefined) {
    const { ceremony, ...cost } = runNoir(name, { source, x, y: runInference(model, x) })
    if (ceremony && !cost.verified) throw new Error(`UltraHonk's proof of ${name} does not verify`)
    rows.push(row(ceremony ? 'UltraHonk' : 'UltraHonk, its SRS made here', cost))
  }
  const parameters = number(parameterCount(model))
  printTable(
    `${name}, ${parameters} parameters: milliseconds by the clock (and of processor time)`,
    HEAD,
    rows,
  )
}

/** @param only part of a model's name; absent, all */
export function benchPeers(only = ''): void {
  console.log(
    '\nBeside others, on the same models. Ratios are of processor time, over plain int8 by onnxruntime.',
  )
  if (!pythonIsHere || !noirIsHere) console.log('What is skipped is not installed: npm run bench:peers')
  console.log(
    'EZKL is asked for the CNN of 267k parameters only under ASSAY_BENCH_LARGE=1: it takes more than 18 GB.',
  )
  for (const model of MODELS) {
    if (!model.name.includes(only)) continue
    if (model.drawn && !pythonIsHere) console.log(`\n${model.name}: skipped, Python makes it`)
    else benchOne(model)
  }
}
