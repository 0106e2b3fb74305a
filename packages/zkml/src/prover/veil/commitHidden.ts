/** What stays hidden, committed to: a model for a counted number of proofs, an input for one. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import type { Architecture } from '../../circuit/architecture.ts'
import { encodeArchitecture } from '../../circuit/encodeArchitecture.ts'
import type { Model } from '../../circuit/model.ts'
import { checkTensor, layOutTensor } from '../../circuit/statement.ts'
import { ZkmlError } from '../../errors.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import { committedCount } from '../../veil/constraints.ts'
import { countConversation } from '../../veil/conversation.ts'
import { type PadShape, padShape } from '../../veil/padShape.ts'
import { veiledShape } from '../../veil/shape.ts'
import { VEILED_PROTOCOL, type VeiledCircuit, veilCircuit } from '../../veil/statement.ts'
import type { Counts } from '../../veil/trace.ts'
import { storeIntegers } from '../storeIntegers.ts'
import { commitVeiled, type VeiledCommitment } from './commitVeiled.ts'
import { type Randomness, SEED_BYTES, seededRandomness } from './randomness.ts'

/** A circuit, what a conversation about it consists of, and the pads that this takes. */
export type Setup = { circuit: VeiledCircuit; counts: Counts; pads: PadShape }

/** A model committed to so that it stays hidden through a stated number of proofs; of inputs that are public, and others. */
export type VeiledModel = Setup & {
  model: Model
  work: Workspace
  weights: VeiledCommitment
  /** The int8 values on the heap. */
  values: number
  inputHidden: Setup
}

/**
 * Commits to the weights under masks that follow from the seed: whoever has weights and seed recomputes the root, and
 * whoever has neither learns nothing of the weights from `proofs` proofs. @throws ZkmlError bad_input
 */
export function commitVeiledModel(
  work: Workspace,
  model: Model,
  seed: Uint8Array,
  proofs: number,
): VeiledModel {
  const circuit = veilCircuit(model.plan.architecture, proofs)
  return commitHidden(
    work,
    model,
    circuit,
    masksOf('masks', model.plan.architecture, proofs, seed, model.layout),
  )
}

export function commitHidden(
  work: Workspace,
  model: Model,
  circuit: VeiledCircuit,
  random: Randomness,
): VeiledModel {
  const { arena } = work
  const { rows, rowBits } = circuit.weights.values
  // The plan's own shape may have another last row: what lies past the layout is zero.
  const laidOut = new Int8Array(Math.max(model.layout.length, rows * 2 ** rowBits))
  laidOut.set(model.layout)
  const values = arena.allocate(laidOut.length)
  new Int8Array(arena.memory.buffer, values, laidOut.length).set(laidOut)
  const words = new Uint32Array(rows * 2 ** rowBits)
  storeIntegers(words, laidOut.subarray(0, words.length))
  const weights = commitVeiled(work, circuit.weights, () => words, random, 'weights')
  const inputHidden = veilCircuit(model.plan.architecture, circuit.proofs, true)
  return { ...setUp(circuit), model, work, weights, values, inputHidden: setUp(inputHidden) }
}

function setUp(circuit: VeiledCircuit): Setup {
  const counts = countConversation(circuit)
  return { circuit, counts, pads: padShape(committedCount(counts)) }
}

/**
 * Commits to an input for one proof: whoever has input and seed recomputes the root. A seed given to two inputs gives
 * masks that have nothing to do with each other; given to two proofs about one input, it shows the input.
 * @throws ZkmlError bad_input
 */
export function commitHiddenInput(
  work: Workspace,
  architecture: Architecture,
  input: ArrayLike<number>,
  seed: Uint8Array,
): VeiledCommitment {
  checkTensor('input', input, architecture.input, -128, 127)
  const laidOut = layOutTensor(input, architecture.input, architecture.input.zeroPoint)
  const shape = veiledShape(laidOut.length, 1)
  const words = new Uint32Array(shape.values.rows * 2 ** shape.values.rowBits)
  storeIntegers(words.subarray(0, laidOut.length), laidOut)
  const random = masksOf('input', architecture, 1, seed, Int8Array.from(laidOut))
  return commitVeiled(work, shape, () => words, random, 'input')
}

/** The root that stands for a hidden input, recomputed. @throws ZkmlError bad_input */
export function hiddenInputRoot(...input: Parameters<typeof commitHiddenInput>): Uint8Array {
  return commitHiddenInput(...input).commitment.root
}

/** One seed given to two models or inputs, or for two numbers of proofs, gives masks that have nothing to do with each other. */
function masksOf(
  name: 'masks' | 'input',
  architecture: Architecture,
  proofs: number,
  seed: Uint8Array,
  values: Int8Array,
): Randomness {
  if (seed.length !== SEED_BYTES) throw new ZkmlError('bad_input', `a seed has ${SEED_BYTES} bytes`)
  const count = new Uint8Array(4)
  new DataView(count.buffer).setUint32(0, proofs)
  const hash = keccak_256.create().update(utf8ToBytes(`${VEILED_PROTOCOL}/${name}`))
  hash
    .update(seed)
    .update(count)
    .update(keccak_256(encodeArchitecture(architecture)))
  hash.update(new Uint8Array(values.buffer, values.byteOffset, values.length))
  return seededRandomness(hash.digest())
}
