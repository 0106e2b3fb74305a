/** A proof that hides, with the statement it is about: an `.azp` of a magic word of its own. Safe in a browser. */
import type { Architecture } from '../circuit/architecture.ts'
import { LIMITS } from '../circuit/checkArchitecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import { isHidden, MOST_PROOFS, type VeiledStatement } from '../veil/statement.ts'
import { FileReader, FileWriter } from './byteFile.ts'
import { MAX_ARCHITECTURE, MAX_PROOF } from './proofFile.ts'

const MAGIC = 'AZH1'
/** What stands before the input: values follow, or the root that stands for them. */
const [PUBLIC, HIDDEN] = [0, 1]

export type VeiledProofFile = { architecture: Architecture; statement: VeiledStatement; proof: Uint8Array }

/** Whether a file says that it holds a proof that hides. */
export function isVeiledProofFile(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, MAGIC.length)) === MAGIC
}

function writeInput(writer: FileWriter, input: VeiledStatement['input']): FileWriter {
  if (isHidden(input)) return writer.word(HIDDEN).bytes(input.root)
  return writer.word(PUBLIC).word(input.length).words(input)
}

function readInput(reader: FileReader): VeiledStatement['input'] {
  if (reader.word(HIDDEN) === HIDDEN) return { root: reader.bytes(32).slice() }
  return Array.from(reader.words(reader.word(LIMITS.tensor)))
}

export function encodeVeiledProofFile({ architecture, statement, proof }: VeiledProofFile): Uint8Array {
  const { weightsRoot, proofs, use, input, output } = statement
  const writer = new FileWriter(MAGIC)
    .block(encodeArchitecture(architecture))
    .bytes(weightsRoot)
    .word(proofs)
    .word(use)
  return writeInput(writer, input).word(output.length).words(output).block(proof).file()
}

/** Says nothing about whether the proof holds: `verifyVeiledProof` does. @throws ZkmlError bad_file or bad_architecture */
export function decodeVeiledProofFile(bytes: Uint8Array): VeiledProofFile {
  const reader = new FileReader(bytes, MAGIC, 'proof that hides')
  const architecture = decodeArchitecture(reader.block(MAX_ARCHITECTURE))
  const weightsRoot = reader.bytes(32).slice()
  const proofs = reader.word(MOST_PROOFS)
  const use = reader.word(MOST_PROOFS - 1)
  const input = readInput(reader)
  const output = Array.from(reader.words(reader.word(LIMITS.tensor)))
  const proof = reader.block(MAX_PROOF).slice()
  reader.end()
  return { architecture, statement: { weightsRoot, input, output, proofs, use }, proof }
}
