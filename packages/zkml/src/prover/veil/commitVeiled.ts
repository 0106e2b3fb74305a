/** The prover's side of commitments that hide: masks behind the values, salt under the hashes, masked combinations. */
import { type Commitment, commit, rowWeights } from '../../commitment/commit.ts'
import * as ext from '../../field/extension.ts'
import { DEGREE, type Ext } from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import { SALT_WORDS, type VeiledShape } from '../../veil/shape.ts'
import type { Randomness } from './randomness.ts'
import type { VeiledWriter } from './veiledWriter.ts'

/** A commitment, and its messages on the heap. */
export type VeiledCommitment = { shape: VeiledShape; commitment: Commitment; messages: number }

/** Messages for a matrix on the heap, all zero. `matrix.rowBits` is the length of a message. */
export function blankMessages({ arena }: Workspace, { rows, rowBits }: VeiledShape['matrix']): number {
  const messages = arena.words(rows * 2 ** rowBits)
  arena.view(messages, rows * 2 ** rowBits).fill(0)
  return messages
}

/** Commits to messages whose last rows are salt: each leaf gets words of its own there. */
export function commitSalted(
  work: Workspace,
  matrix: VeiledShape['matrix'],
  messages: number,
  random: Randomness,
  name: string,
): Commitment {
  const positions = 2 ** (matrix.rowBits + matrix.blowupBits)
  const salt = random(`${name}/salt`, SALT_WORDS * positions)
  return commit(
    work,
    matrix,
    () => messages,
    (columns) => {
      const words = work.arena.view(columns, positions * matrix.rows)
      for (let at = 0; at < positions; at++)
        words.set(salt.subarray(SALT_WORDS * at, SALT_WORDS * (at + 1)), (at + 1) * matrix.rows - SALT_WORDS)
    },
  )
}

/** `values` are plain words, row after row. */
export function commitVeiled(
  work: Workspace,
  shape: VeiledShape,
  values: () => Uint32Array,
  random: Randomness,
  name: string,
): VeiledCommitment {
  const { dimension, openings, matrix } = shape
  const { rows, rowBits } = shape.values
  const messages = blankMessages(work, matrix)
  const message = (row: number) => work.arena.view(messages + 4 * row * 2 ** matrix.rowBits, dimension)
  const hidden = dimension - 2 ** rowBits
  const tails = random(`${name}/rows`, rows * hidden)
  const words = values()
  for (let row = 0; row < rows; row++) {
    message(row).set(words.subarray(row * 2 ** rowBits, (row + 1) * 2 ** rowBits))
    message(row).set(tails.subarray(row * hidden, (row + 1) * hidden), 2 ** rowBits)
  }
  const masks = random(`${name}/masks`, DEGREE * openings * dimension)
  for (let mask = 0; mask < DEGREE * openings; mask++)
    message(rows + mask).set(masks.subarray(mask * dimension, (mask + 1) * dimension))
  return { shape, commitment: commitSalted(work, matrix, messages, random, name), messages }
}

/** Says the value of the mask, then shows the masked row; the mirror of `verifyVeiledRow`. */
export function openVeiledRow(
  work: Workspace,
  writer: VeiledWriter,
  label: string,
  { shape, messages }: VeiledCommitment,
  use: number,
  point: Point,
): void {
  const { arena, kernels } = work
  const { values, matrix, dimension } = shape
  const size = 2 ** matrix.rowBits
  const first = values.rows + DEGREE * use
  const planes = Array.from({ length: DEGREE }, (_, plane) =>
    arena.view(messages + 4 * (first + plane) * size, dimension).slice(),
  )
  const mask = (at: number) => planes.map((plane) => plane[at] as number) as unknown as Ext
  const columnWeights = eqTable(point.slice(0, values.rowBits))
  const masked = ext.sum(columnWeights.map((weight, at) => ext.mul(mask(at), weight)))
  writer.exts(`${label}/mask`, [masked])
  const factor = writer.transcript.challenge(`${label}/mix`)

  const mark = arena.mark()
  const weights = rowWeights(values, point).map((weight) => ext.mul(weight, factor))
  const out = arena.words(DEGREE * size)
  kernels.foldRowsWords(messages, values.rows, size, work.montgomeryList(weights), out)
  const row = work.readVector(out, size, dimension).map((entry, at) => ext.add(entry, mask(at)))
  arena.release(mark)
  writer.clear(`${label}/row`, row)
}
