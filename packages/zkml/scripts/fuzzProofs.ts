/**
 * Mutates honest proofs of a tiny circuit and of a larger one, for as long as it is told, and counts how many the verifier
 * accepts: none may be.
 *   node packages/zkml/scripts/fuzzProofs.ts [--seconds 60] [--seed 1]
 */
import { parseArgs } from 'node:util'
import { makeModel } from '../src/circuit/model.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
})
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]

/** xorshift32: a run repeats from its seed. */
let state = seed >>> 0 || 1
function random(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

function subject(layers: readonly number[]) {
  const requantise = { multiplier: 9, shift: 12, zeroPoint: -128, low: -128, high: 127 }
  const last = layers.length - 2
  const nodes = layers.slice(1).map((units, input) => {
    return { op: 'dense' as const, input, units, requantise: input === last ? null : requantise }
  })
  const parameters = layers.slice(1).map((units, input) => ({
    weights: Int8Array.from({ length: units * (layers[input] as number) }, () => random(255) - 127),
    bias: Int32Array.from({ length: units }, () => random(2001) - 1000),
  }))
  const shape = { channels: layers[0] as number, height: 1, width: 1, zeroPoint: 0 }
  const model = makeModel({ input: shape, nodes }, parameters)
  const committed = commitModel(createWorkspace(), model)
  const input = Array.from({ length: shape.channels }, () => random(256) - 128)
  const { output, proof } = proveInference(committed, input)
  const statement = { weightsRoot: committed.commitment.root, input, output }
  return { name: layers.join('-'), architecture: model.plan.architecture, statement, proof }
}

/** One to four edits: a bit, a byte, a word, a block moved, a block repeated, a tail cut or added. */
function mutate(proof: Uint8Array): Uint8Array {
  let bytes = proof.slice()
  for (let edit = 0, edits = 1 + random(4); edit < edits; edit++) {
    const at = random(bytes.length)
    const kind = random(7)
    if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << random(8))
    else if (kind === 1) bytes[at] = random(256)
    else if (kind === 2) bytes.fill(random(2) * 255, at, at + 4)
    else if (kind === 3) bytes.copyWithin(at, random(bytes.length), random(bytes.length))
    else if (kind === 4) bytes.set(bytes.slice(0, Math.min(32, bytes.length - at)), at)
    else if (kind === 5) bytes = bytes.slice(0, Math.max(1, bytes.length - random(64)))
    else bytes = Uint8Array.from([...bytes, random(256)])
  }
  return bytes
}

const equal = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, at) => byte === b[at])

let accepted = 0
for (const { name, architecture, statement, proof } of [subject([4, 6, 3]), subject([256, 128, 10])]) {
  verifyProof(architecture, statement, proof)
  const end = Date.now() + (1000 * seconds) / 2
  let tried = 0
  const before = accepted
  while (Date.now() < end) {
    const mutant = mutate(proof)
    if (equal(mutant, proof)) continue
    tried++
    try {
      verifyProof(architecture, statement, mutant)
      accepted++
      console.error(`ACCEPTED: circuit ${name}, seed ${seed}, mutant ${tried}`)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ZkmlError') throw error
    }
  }
  console.log(`circuit ${name}: ${tried - (accepted - before)} of ${tried} mutants refused`)
}
process.exitCode = accepted === 0 ? 0 : 1
