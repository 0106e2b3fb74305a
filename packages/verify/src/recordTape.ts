import {
  AssayError,
  type BatchEntry,
  readInferAnswer,
  readInferRequest,
  TAPE_PART_WORDS,
  type WordRun,
  type ZkCircuit,
  zkEvidenceHash,
} from '@assay/protocol'
import {
  decodeModelCard,
  encodeInput,
  recordProof,
  rootOf,
  type ShownRun,
  type StatementHashes,
  showRun,
  type WordTree,
  wordTree,
  ZkmlError,
} from '@assay/zkml/verifier'
import { bytesToHex, type Hex } from 'viem'
import { circuitOf } from './circuitHash.ts'
import { same } from './step.ts'

/** The check of the proof beside a receipt, written down anew (docs/zkml.md, "On chain: fault 2"). */
export type EntryTape = {
  circuit: ZkCircuit
  /** Gates, 32 bytes each. */
  program: Uint8Array
  /** Their values, as a tree. */
  tape: WordTree
  root: Hex
  /** Gates that do not hold. */
  violated: readonly number[]
}

/** Records the check; undefined where there is no proof, or the bytes beside it cannot be read. */
export function recordTape({ receipt, zk }: BatchEntry): EntryTape | undefined {
  if (zk === undefined) return undefined
  try {
    const card = decodeModelCard(zk.card)
    const tensors = {
      input: encodeInput(card, readInferRequest(zk.request.body).input),
      output: readInferAnswer(zk.response.body).tensor,
    }
    const recorded = recordProof(card, tensors, zk.proof, (hashes) => signedFor(hashes, receipt.evidenceHash))
    const tape = wordTree(recorded.tape)
    const { program, violated } = recorded
    return { circuit: circuitOf(card), program, tape, root: bytesToHex(rootOf(tape)), violated }
  } catch (error) {
    if (error instanceof AssayError || error instanceof ZkmlError) return undefined
    throw error
  }
}

/** Whether a receipt was signed for this model, input and output. */
export function signedFor({ modelRoot, inputHash, outputHash }: StatementHashes, evidenceHash: Hex): boolean {
  const statement = {
    modelRoot: bytesToHex(modelRoot),
    inputHash: bytesToHex(inputHash),
    outputHash: bytesToHex(outputHash),
  }
  return same(zkEvidenceHash(statement), evidenceHash)
}

/** The parts in which a tape is shown on chain. */
export function tapeParts({ circuit, tape }: Pick<EntryTape, 'circuit' | 'tape'>): WordRun[] {
  const words = Math.min(TAPE_PART_WORDS, circuit.gates)
  return Array.from({ length: Math.ceil(circuit.gates / TAPE_PART_WORDS) }, (_, part) =>
    runInHex(showRun(tape, part * TAPE_PART_WORDS, words)),
  )
}

export function runInHex({ words, siblings }: Pick<ShownRun, 'words' | 'siblings'>): WordRun {
  return {
    words: Array.from({ length: words.length / 32 }, (_, at) =>
      bytesToHex(words.subarray(32 * at, 32 * at + 32)),
    ),
    siblings: siblings.map((sibling) => bytesToHex(sibling)),
  }
}
