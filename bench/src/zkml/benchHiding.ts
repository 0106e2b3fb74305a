/** What hiding costs: the same models proved with `validity` and with `zk` proofs in one run, under masks for 1 to 64 proofs. */
import { existsSync, readFileSync } from 'node:fs'
import {
  commitModel,
  commitVeiledModel,
  compileOnnx,
  createWorkspace,
  type Model,
  proveInference,
  proveVeiled,
  verifyProof,
  verifyVeiledProof,
} from '@assay/zkml'
import { number, printTable } from '../table.ts'
import { measure, milliseconds } from './measure.ts'
import { parameterCount, perceptron } from './models.ts'

const MODELS = new URL('../../../packages/zkml/models/', import.meta.url)
/** For how many proofs the masks of a root are good, and whether the input is hidden too. */
const HIDING = [
  { proofs: 1, input: false },
  { proofs: 16, input: false },
  { proofs: 16, input: true },
  { proofs: 64, input: false },
] as const
const [WARM_UP, RUNS] = [3, 7]

type Proved = { proof: Uint8Array; verify: () => { soundness: { bits: number } } }
/** Commits, and gives what proves then. */
type Subject = { kind: string; commit: () => (input: number[], at: number) => Proved }

function subjectsOf(model: Model): Subject[] {
  const { architecture } = model.plan
  const convincing: Subject = {
    kind: 'validity',
    commit: () => {
      const committed = commitModel(createWorkspace(), model)
      const weightsRoot = committed.commitment.root
      return (input) => {
        const { output, proof } = proveInference(committed, input)
        return { proof, verify: () => verifyProof(architecture, { weightsRoot, input, output }, proof) }
      }
    },
  }
  const hiding = HIDING.map(
    ({ proofs, input: hidesInput }): Subject => ({
      kind: `zk${hidesInput ? ', input too' : ''}, good for ${proofs}`,
      commit: () => {
        const veiled = commitVeiledModel(createWorkspace(), model, new Uint8Array(32), proofs)
        // Masks are spent again and again here: no proof leaves this process.
        return (input, at) => {
          const inputSeed = hidesInput ? new Uint8Array(32) : undefined
          const { statement, proof } = proveVeiled(veiled, input, at % proofs, { inputSeed })
          return { proof, verify: () => verifyVeiledProof(architecture, statement, proof) }
        }
      },
    }),
  )
  return [convincing, ...hiding]
}

function benchSubject(name: string, model: Model, { kind, commit }: Subject): string[] {
  const { channels, height, width } = model.plan.architecture.input
  const inputOf = (at: number) =>
    Array.from({ length: channels * height * width }, (_, i) => ((i * 37 + at * 101) % 255) - 127)
  let ready: ReturnType<Subject['commit']> | undefined
  const committed = measure(1, () => {
    ready = commit()
  })
  const prove = ready as unknown as ReturnType<Subject['commit']>
  let proved = prove(inputOf(0), 0)
  for (let at = 0; at < WARM_UP; at++) proved = prove(inputOf(at), at)
  const proving = measure(RUNS, (at) => {
    proved = prove(inputOf(at), at)
  })
  let bits = 0
  const check = () => {
    bits = proved.verify().soundness.bits
  }
  for (let at = 0; at < WARM_UP; at++) check()
  const verifying = measure(RUNS, check)
  return [
    name,
    number(parameterCount(model)),
    kind,
    milliseconds(committed),
    milliseconds(proving),
    milliseconds(verifying),
    number(proved.proof.length / 1000, 1),
    bits.toFixed(1),
  ]
}

export function benchHiding(): void {
  const models: [string, Model][] = [['MLP', perceptron([1024, 512, 512, 384, 128, 10])]]
  const cnn = new URL('digits-cnn-267k.onnx', MODELS)
  if (existsSync(cnn)) {
    const data = JSON.parse(readFileSync(new URL('digits.json', MODELS), 'utf8')) as { calibrate: number[][] }
    models.push(['digits, CNN', compileOnnx(readFileSync(cnn), data.calibrate.slice(0, 64)).compiled.model])
  }
  printTable(
    'What hiding costs, one thread: milliseconds by the clock (and of processor time), median',
    ['model', 'parameters', 'proof', 'commit', 'prove', 'verify', 'kB', 'bits'],
    models.flatMap(([name, model]) => subjectsOf(model).map((subject) => benchSubject(name, model, subject))),
  )
}
