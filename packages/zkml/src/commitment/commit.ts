/** The prover's side of the commitment: encode every row, hash every column, answer openings. */

import { mul, rootOfUnity } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import { toMontgomery } from '../kernels/montgomery.ts'
import type { Workspace } from '../kernels/workspace.ts'
import { encodeElements, type ProofWriter } from '../transcript/proofWriter.ts'
import { siblingsOf } from './merkle.ts'
import type { CommitmentShape } from './shape.ts'
import { queriedColumns } from './verifyOpening.ts'

/** An encoded matrix on the heap, column by column, and the levels of its tree from the leaves up. */
export type Commitment = { shape: CommitmentShape; columns: number; levels: number[]; root: Uint8Array }

/**
 * Commits to rows of plain words. `place` puts them on the heap, where they are needed only while this runs. `salt` may
 * change the encoded columns before they are hashed.
 */
export function commit(
  work: Workspace,
  shape: CommitmentShape,
  place: () => number,
  salt: (columns: number) => void = () => {},
): Commitment {
  const { arena, kernels } = work
  const depth = shape.rowBits + shape.blowupBits
  const positions = 2 ** depth
  const columns = arena.words(positions * shape.rows)
  const levels = Array.from({ length: depth + 1 }, (_, height) => arena.allocate(32 * 2 ** (depth - height)))
  const mark = arena.mark()
  const roots = arena.words(positions)
  fillRoots(arena.view(roots, positions), depth)
  const scratch = arena.words(8 * positions)
  const rows = place()
  kernels.encodeRows(rows, shape.rows, shape.rowBits, shape.blowupBits, roots, scratch, columns)
  arena.release(mark)
  salt(columns)
  kernels.hashLeaves(columns, positions, shape.rows, levels[0] as number)
  for (let height = 0; height < depth; height++)
    kernels.hashNodes(levels[height] as number, 2 ** (depth - height - 1), levels[height + 1] as number)
  return { shape, columns, levels, root: arena.bytes(levels[depth] as number, 32).slice() }
}

/** The stages' Montgomery powers, each stage every second one of the stage before. */
function fillRoots(out: Uint32Array, bits: number): void {
  const omega = rootOfUnity(bits)
  let power = toMontgomery(1)
  for (let i = 0; i < out.length / 2; i++) {
    out[i] = power
    power = mul(power, omega)
  }
  for (let from = 0, size = out.length / 2; size > 1; from += size, size /= 2)
    for (let i = 0; i < size / 2; i++) out[from + size + i] = out[from + 2 * i] as number
}

/** Weights of the rows in an opening at a point. */
export function rowWeights(shape: CommitmentShape, point: Point): Ext[] {
  return eqTable(point.slice(shape.rowBits)).slice(0, shape.rows)
}

/** The columns asked for, then the siblings that their paths lack. */
export function openColumns(
  work: Workspace,
  writer: ProofWriter,
  label: string,
  commitment: Commitment,
): void {
  const { shape, columns, levels } = commitment
  const { arena } = work
  const indices = queriedColumns(writer.transcript, label, shape)
  for (const index of indices)
    writer.put(encodeElements(arena.view(columns + 4 * shape.rows * index, shape.rows)))
  for (const { height, index } of siblingsOf(shape.rowBits + shape.blowupBits, indices))
    writer.put(arena.bytes((levels[height] as number) + 32 * index, 32).slice())
}
