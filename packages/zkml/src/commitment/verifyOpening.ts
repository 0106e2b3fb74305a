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
export type Opening = Committed & { point: Point; value: Ext }

/** How the columns that the transcript asks for are checked against the combined row. */
export type OpenColumns = (reader: ProofReader, opening: Opening, row: readonly Ext[]) => void

/** Reads and checks the combined row; gives the step that checks it against columns. @throws ZkmlError invalid_proof */
export function verifyCombinedRow(
  reader: ProofReader,
  opening: Opening,
  openColumns: OpenColumns,
): () => void {
  const { label, shape, point } = opening
  const row = reader.exts(`${label}/row`, 2 ** shape.rowBits)
  const columnWeights = eqTable(point.slice(0, shape.rowBits))
  const value = ext.sum(row.map((entry, at) => ext.mul(entry, columnWeights[at] as Ext)))
  if (!ext.equals(value, opening.value))
    throw new ZkmlError('invalid_proof', 'the combined row does not give the value claimed', { label })
  return () => openColumns(reader, opening, row)
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

/** @throws ZkmlError invalid_proof */
export function verifyColumns(reader: ProofReader, opening: Opening, row: readonly Ext[]): void {
  const { shape, point } = opening
  const rowWeights = eqTable(point.slice(shape.rowBits)).slice(0, shape.rows)
  verifyCombination(reader, opening, rowWeights, row)
}

/** The columns that are asked for are in the tree, and their sums under the rows' weights on the codeword of `row`. */
export function verifyCombination(
  reader: ProofReader,
  { label, shape, root }: Committed,
  rowWeights: readonly Ext[],
  row: readonly Ext[],
): void {
  verifyTree(reader, { label, shape, root }, (indices) => {
    const codeword = extensionEncodeAt(row, shape.blowupBits, indices)
    return (column, query) => {
      if (!ext.same(combineColumn(column, rowWeights), codeword[query] as Ext))
        throw new ZkmlError('invalid_proof', 'a column does not lie on the combined row', {
          label,
          index: indices[query],
        })
    }
  })
}

/** A commitment that is opened, and the name by which the transcript asks for its columns. */
export type Committed = { label: string; shape: CommitmentShape; root: Uint8Array }

/** Reads the columns that are asked for, shows each to what `prepare` gives for them, and finds them in the tree. */
export function verifyTree(
  reader: ProofReader,
  { label, shape, root }: Committed,
  prepare: (indices: readonly number[]) => (column: Uint32Array, query: number) => void,
): void {
  const indices = queriedColumns(reader.transcript, label, shape)
  const check = prepare(indices)
  const leaves = indices.map((_, query) => {
    const column = reader.elements(shape.rows)
    check(column, query)
    return hashLeaf(encodeElements(column))
  })
  const found = rootFromLeaves(reader, shape.rowBits + shape.blowupBits, indices, leaves)
  if (!found.every((byte, at) => byte === root[at]))
    throw new ZkmlError('invalid_proof', 'the opened columns are not in the committed tree', { label })
}

/** Σ weight·entry of a column's first entries, one a weight. */
export function combineColumn(column: Uint32Array, weights: readonly Ext[]): Ext {
  const sum = [0, 0, 0, 0, 0]
  for (const [at, weight] of weights.entries())
    for (let plane = 0; plane < DEGREE; plane++)
      sum[plane] = add(sum[plane] as number, mul(column[at] as number, weight[plane] as number))
  return sum as unknown as Ext
}

/** Positions of the codeword of extension elements, which is the codewords of their five planes. */
export function extensionEncodeAt(
  row: readonly Ext[],
  blowupBits: number,
  indices: readonly number[],
): Ext[] {
  const planes = Array.from({ length: DEGREE }, (_, plane) =>
    encodeAt(
      row.map((entry) => entry[plane] as number),
      blowupBits,
      indices,
    ),
  )
  return indices.map((_, query) => planes.map((plane) => plane[query]) as unknown as Ext)
}
