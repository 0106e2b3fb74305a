/** What a proof that hides states, and of which model: protocol and model have names of their own. */

import { utf8ToBytes } from '@noble/hashes/utils.js'
import { keccak256 } from '#keccak'
import type { Architecture } from '../circuit/architecture.ts'
import { encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import type { Plan } from '../circuit/plan.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import { checkAnswer, checkStatement, type Statement, tensorHash } from '../circuit/statement.ts'
import { ZkmlError } from '../errors.ts'
import { Transcript } from '../transcript/transcript.ts'
import { absorbStatement, type StatementHashes } from '../verifier/verify.ts'
import { type VeiledShape, veiledShape } from './shape.ts'

/** Name and version of the protocol that hides; `assay/zkml/v2` is the one that only convinces. */
export const VEILED_PROTOCOL = 'assay/zkml/zk/v1'

/** A weights commitment is good for this many proofs at most: its rows grow with each. */
export const MOST_PROOFS = 64

/** An input by the root of its own commitment, which tells nothing of it. */
export type HiddenInput = { root: Uint8Array }

export type VeiledStatement = Omit<Statement, 'input'> & {
  /** int8 values, or what stands for them. */
  input: ArrayLike<number> | HiddenInput
  /** How many proofs the weights' commitment is good for. */
  proofs: number
  /** Which of them this is, from 0. */
  use: number
}

/** The plan with the shapes of commitments that hide. */
export type VeiledCircuit = {
  plan: Plan
  proofs: number
  witness: VeiledShape
  weights: VeiledShape
  /** Undefined where the input is public. */
  input: VeiledShape | undefined
}

/** @throws ZkmlError bad_architecture or bad_input */
export function veilCircuit(architecture: Architecture, proofs: number, hidesInput = false): VeiledCircuit {
  if (!Number.isInteger(proofs) || proofs < 1 || proofs > MOST_PROOFS)
    throw new ZkmlError('bad_input', `a commitment is good for 1 to ${MOST_PROOFS} proofs`, { proofs })
  const plan = planCircuit(architecture, hidesInput)
  const witness = veiledShape(plan.witness.length, 1)
  const weights = veiledShape(plan.weights.length, proofs)
  const inputBits = plan.values[plan.tensorValues[0] as number]?.bits ?? 0
  const input = hidesInput ? veiledShape(2 ** inputBits, 1) : undefined
  const hidden = { ...plan, witness: witness.values, weights: weights.values }
  return { plan: hidden, proofs, witness, weights, input }
}

export function isHidden(input: VeiledStatement['input']): input is HiddenInput {
  return 'root' in input
}

/** keccak(tag ‖ keccak(architecture) ‖ weightsRoot ‖ proofs as u32). */
export function veiledModelRoot({ plan, proofs }: VeiledCircuit, weightsRoot: Uint8Array): Uint8Array {
  const tag = keccak256(utf8ToBytes(`${VEILED_PROTOCOL}/model`))
  const message = new Uint8Array(100)
  message.set(tag)
  message.set(keccak256(encodeArchitecture(plan.architecture)), 32)
  message.set(weightsRoot, 64)
  new DataView(message.buffer).setUint32(96, proofs)
  return keccak256(message)
}

/** @throws ZkmlError bad_input */
export function checkVeiledStatement({ plan }: VeiledCircuit, statement: VeiledStatement): void {
  const { use, proofs, input } = statement
  if (!isHidden(input)) checkStatement(plan, { ...statement, input })
  else if (input.root.length === 32) checkAnswer(plan, statement)
  else throw new ZkmlError('bad_input', 'the root of a hidden input has 32 bytes')
  if (!Number.isInteger(use) || use < 0 || use >= proofs)
    throw new ZkmlError('bad_input', 'the commitment is not good for this proof', { use, proofs })
}

/** A statement by what stands for its parts; a hidden input by its root. */
export function veiledHashes(circuit: VeiledCircuit, statement: VeiledStatement): StatementHashes {
  const { weightsRoot, input, output } = statement
  return {
    modelRoot: veiledModelRoot(circuit, weightsRoot),
    inputHash: isHidden(input) ? input.root : tensorHash(input),
    outputHash: tensorHash(output),
  }
}

/** The transcript after the statement; both sides start from it. */
export function veiledTranscript(circuit: VeiledCircuit, statement: VeiledStatement): Transcript {
  const transcript = absorbStatement(new Transcript(VEILED_PROTOCOL), veiledHashes(circuit, statement))
  const use = new Uint8Array(4)
  new DataView(use.buffer).setUint32(0, statement.use)
  transcript.absorb(isHidden(statement.input) ? 'use, input hidden' : 'use', use)
  return transcript
}
