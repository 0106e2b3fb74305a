/**
 * The tensor commitment of Ligero (Ames et al. 2017) as a multilinear one (Brakedown, Golovnev et al. 2021/1043): the
 * prover sends the rows' combination with the weights eq(point's row part); the verifier checks it against random
 * columns. As the point is drawn after the commitment, that one combination is also the proximity test, with the tensor
 * randomness of Diamond–Posen 2023/630.
 */
import { ZkmlError } from '../errors.ts'
import { add, mul } from '../field/babyBear.ts'
import { encodeAt } from '../field/encodeAt.ts'
import * as ext from '../field/extension.ts'
import { DEGREE, type Ext } from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import type { ProofReader } from '../transcript/proofReader.ts'
import { encodeElements } from '../transcript/proofWriter.ts'
import { hashLeaf, rootFromLeaves } from './merkle.ts'
import type { CommitmentShape } from './shape.ts'

/** A claim that the committed multilinear has `value` at `point`, which must be random given `root`. */
export type Opening = { label: string; shape: CommitmentShape; root: Uint8Array; point: Point; value: Ext }

/** Reads and checks the combined row; gives the step that checks it against columns. @throws ZkmlError invalid_proof */
export function verifyCombinedRow(reader: ProofReader, opening: Opening): () => void {
  const { label, shape, point } = opening
  const row = reader.exts(`${label}/row`, 2 ** shape.rowBits)
  const columnWeights = eqTable(point.slice(0, shape.rowBits))
  const value = ext.sum(row.map((entry, at) => ext.mul(entry, columnWeights[at] as Ext)))
  if (!ext.equals(value, opening.value))
    throw new ZkmlError('invalid_proof', 'the combined row does not give the value claimed', { label })
  return () => verifyColumns(reader, opening, row)
}

/** The columns that the transcript asks for, ascending, each once. */
export function queriedColumns(
  transcript: { indices(label: string, count: number, bits: number): number[] },
  label: string,
  shape: CommitmentShape,
): number[] {
  const drawn = transcript.indices(`${label}/queries`, shape.queries, shape.rowBits + shape.blowupBits)
  return [...new Set(drawn)].sort((a, b) => a - b)
}

function verifyColumns(reader: ProofReader, opening: Opening, row: readonly Ext[]): void {
  const { label, shape, root, point } = opening
  const indices = queriedColumns(reader.transcript, label, shape)
  const rowWeights = eqTable(point.slice(shape.rowBits)).slice(0, shape.rows)
  const codewords = Array.from({ length: DEGREE }, (_, plane) =>
    encodeAt(
      row.map((entry) => entry[plane] as number),
      shape.blowupBits,
      indices,
    ),
  )
  const leaves = indices.map((index, query) => {
    const column = reader.elements(shape.rows)
    for (let plane = 0; plane < DEGREE; plane++) {
      let combined = 0
      for (let at = 0; at < shape.rows; at++)
        combined = add(combined, mul(column[at] as number, (rowWeights[at] as Ext)[plane] as number))
      if (combined !== codewords[plane]?.[query])
        throw new ZkmlError('invalid_proof', 'a column does not lie on the combined row', { label, index })
    }
    return hashLeaf(encodeElements(column))
  })
  const found = rootFromLeaves(reader, shape.rowBits + shape.blowupBits, indices, leaves)
  if (!found.every((byte, at) => byte === root[at]))
    throw new ZkmlError('invalid_proof', 'the opened columns are not in the committed tree', { label })
}
