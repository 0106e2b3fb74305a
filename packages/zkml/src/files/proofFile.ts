/**
 * A proof with the statement it is about (`.azp`): all that a verifier needs, but for knowing which model it expects.
 * Safe in a browser.
 */
import type { Architecture } from '../circuit/architecture.ts'
import { LIMITS } from '../circuit/checkArchitecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import type { Statement } from '../circuit/statement.ts'
import { FileReader, FileWriter } from './byteFile.ts'

const MAGIC = 'AZP1'
export const MAX_ARCHITECTURE = 2 ** 23
export const MAX_PROOF = 2 ** 26

export type ProofFile = { architecture: Architecture; statement: Statement; proof: Uint8Array }

export function encodeProofFile({ architecture, statement, proof }: ProofFile): Uint8Array {
  const { weightsRoot, input, output } = statement
  return new FileWriter(MAGIC)
    .block(encodeArchitecture(architecture))
    .bytes(weightsRoot)
    .word(input.length)
    .words(input)
    .word(output.length)
    .words(output)
    .block(proof)
    .file()
}

/** Says nothing about whether the proof holds: `verifyProof` does. @throws ZkmlError bad_file or bad_architecture */
export function decodeProofFile(bytes: Uint8Array): ProofFile {
  const reader = new FileReader(bytes, MAGIC, 'proof')
  const architecture = decodeArchitecture(reader.block(MAX_ARCHITECTURE))
  const weightsRoot = reader.bytes(32).slice()
  const input = Array.from(reader.words(reader.word(LIMITS.tensor)))
  const output = Array.from(reader.words(reader.word(LIMITS.tensor)))
  const proof = reader.block(MAX_PROOF).slice()
  reader.end()
  return { architecture, statement: { weightsRoot, input, output }, proof }
}
