/** The sumcheck of a column of words against weights, on the kernels. */

import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { extFromMontgomery } from '../kernels/montgomery.ts'
import type { Workspace } from '../kernels/workspace.ts'
import { evaluateQuadratic, type Quadratic } from '../sumcheck/verifySumcheck.ts'
import type { ProofWriter } from '../transcript/proofWriter.ts'

/**
 * "Σ words[i]·weights[i] over i < n is `sum`": n plain words, and a Montgomery vector of stride n, which it destroys.
 * Binds the variables from the last to the first; gives the point in index order, and the
 * extensions of both there.
 */
export function proveWordsSum(
  work: Workspace,
  writer: ProofWriter,
  label: string,
  words: number,
  weights: number,
  size: number,
  sum: Ext,
): { point: Ext[]; value: Ext; weight: Ext } {
  const { arena, kernels } = work
  const mark = arena.mark()
  const half = size / 2
  const folded = arena.words(5 * Math.max(1, half))
  const out = arena.words(10)
  const point: Ext[] = []
  let claim = sum
  for (let n = size; n > 1; n /= 2) {
    if (n === size) kernels.productRoundWords(words, weights, size, n, out)
    else kernels.productRound(folded, half, weights, size, n, out)
    const [atZero, leading] = work.readList(out, 2) as [Ext, Ext]
    const polynomial: Quadratic = [atZero, ext.sub(claim, atZero), leading]
    writer.exts(label, polynomial)
    const challenge = writer.transcript.challenge(label)
    claim = evaluateQuadratic(polynomial, challenge)
    point.unshift(challenge)
    const bound = work.montgomeryList([challenge])
    if (n === size) kernels.foldWords(words, n, bound, folded, half)
    else kernels.foldHalves(folded, half, n, bound)
    kernels.foldHalves(weights, size, n, bound)
  }
  const value =
    size === 1
      ? ext.fromBase(arena.view(words, 1)[0] as number)
      : (work.readVector(folded, half, 1)[0] as Ext)
  const weight = extFromMontgomery(work.readVector(weights, size, 1)[0] as Ext)
  arena.release(mark)
  return { point, value, weight }
}
