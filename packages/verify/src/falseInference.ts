import { type BatchEntry, type FalseStep, MODE, type ZkCircuit, zkCircuitHash } from '@assay/protocol'
import {
  decodeModelCard,
  firstViolated,
  recordProgram,
  showStep,
  type WordTree,
  wordTree,
  ZkmlError,
} from '@assay/zkml/verifier'
import { type Hex, zeroHash } from 'viem'
import { circuitOf } from './circuitHash.ts'
import { recordTape, runInHex, signedFor } from './recordTape.ts'
import { same } from './step.ts'

/**
 * What can be done on chain about a receipt of mode zk whose proof is refused.
 * - A step of the check that does not hold, where the file holds the tape of the check: a contract can be shown it (class 2).
 * - `'hidden'`, where it does not: nothing can be shown under the root in its place, so the tape must be demanded (class 4).
 * - Undefined: the statement is proven, and what is wrong lies elsewhere.
 * @param weightsHash what the registry holds of the model
 */
export function falseInference(
  entry: BatchEntry,
  weightsHash: Hex | undefined,
): FalseStep | 'hidden' | undefined {
  const { receipt, zk } = entry
  if (receipt.mode !== MODE.zk || receipt.evidenceHash === zeroHash) return undefined
  const recorded = recordTape(entry)
  if (recorded === undefined || weightsHash === undefined) return 'hidden'
  const { circuit, program, tape, root, violated } = recorded
  if (!same(root, zk?.tape ?? '') || !same(zkCircuitHash(circuit), weightsHash)) return 'hidden'
  const [gate] = violated
  return gate === undefined ? undefined : falseStep(circuit, wordTree(program), tape, gate)
}

/**
 * A step that does not hold of a tape that was shown on chain, whoever made it.
 * @param words those that were shown, in order
 */
export function falseTape({ receipt, zk }: BatchEntry, words: Uint8Array): FalseStep | undefined {
  if (zk === undefined) return undefined
  try {
    const card = decodeModelCard(zk.card)
    const program = recordProgram(card)
    if (words.length < program.length) return undefined
    const gate = firstViolated(program, words, {
      ...card,
      signed: (inputHash, outputHash) => signedFor({ ...card, inputHash, outputHash }, receipt.evidenceHash),
    })
    return gate === undefined
      ? undefined
      : falseStep(circuitOf(card), wordTree(program), wordTree(words), gate)
  } catch (error) {
    // The card is not that of the model: which program the tape is of, the file does not say.
    if (error instanceof ZkmlError) return undefined
    throw error
  }
}

/** A gate of a tape that does not hold, as the contract is shown it. */
function falseStep(circuit: ZkCircuit, program: WordTree, tape: WordTree, gate: number): FalseStep {
  const { shownGate, shownValue, reads } = showStep(program, tape, gate)
  return {
    ...circuit,
    gate,
    shownGate: runInHex(shownGate),
    shownValue: runInHex(shownValue),
    reads: reads.map(runInHex),
  }
}
