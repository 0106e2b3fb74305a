/** The prover's side of `verifyLookups.ts`: the tree of fractions and one sumcheck a layer, on the kernels. */
import type { Plan } from '../circuit/plan.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { extFromMontgomery, extToMontgomery, toMontgomery } from '../kernels/montgomery.ts'
import type { Workspace } from '../kernels/workspace.ts'
import { tableColumns } from '../lookup/tables.ts'
import type { Fingerprint } from '../lookup/verifyLookups.ts'
import { evaluateQuadratic, type Quadratic } from '../sumcheck/verifySumcheck.ts'
import type { ProofWriter } from '../transcript/proofWriter.ts'
import type { Columns } from './columns.ts'
import { formRows } from './countRows.ts'
import { storeIntegers } from './storeIntegers.ts'

/** A layer of 2^bits fractions: vectors p and q of that stride, in Montgomery form. */
type Layer = { p: number; q: number; bits: number }

/** Builds the leaves, folds the tree, and proves it down to a random point of the leaves. */
export function proveLookups(
  work: Workspace,
  writer: ProofWriter,
  plan: Plan,
  keys: Fingerprint,
  columns: Columns,
): Ext[] {
  const mark = work.arena.mark()
  const layers = [buildLeaves(work, plan, keys, columns)]
  while ((layers[0] as Layer).bits > 1) layers.unshift(joinLayer(work, layers[0] as Layer))
  const point = proveTree(work, writer, layers)
  work.arena.release(mark)
  return point
}

function buildLeaves(work: Workspace, plan: Plan, keys: Fingerprint, columns: Columns): Layer {
  const { arena, kernels } = work
  const leaves = 2 ** plan.leafBits
  const [p, q] = [arena.zeroVector(leaves), arena.zeroVector(leaves)]
  const one = toMontgomery(1)
  arena.view(q, leaves).fill(one)
  const mark = arena.mark()
  const largest = Math.max(
    ...plan.lookups.map(({ bits }) => bits),
    ...plan.tables.map(({ table }) => table.bits),
  )
  const [first, second] = [arena.words(2 ** largest), arena.words(2 ** largest)]
  const beta = work.list([extToMontgomery(extToMontgomery(keys.beta))])
  const squared = ext.mul(keys.beta, keys.beta)
  const block = (offset: number, tag: number, a: ArrayLike<number>, b: ArrayLike<number>) => {
    const base = work.montgomeryList([ext.sub(keys.alpha, ext.scale(squared, tag))])
    storeIntegers(arena.view(first, a.length), a)
    storeIntegers(arena.view(second, b.length), b)
    kernels.lookupLeaves(first, second, a.length, base, beta, q + 4 * offset, leaves)
  }
  for (const { table, bits, offset, first: formA, second: formB } of plan.lookups) {
    block(offset, table + 1, formRows(formA, columns, bits), formRows(formB, columns, bits))
    arena.view(p + 4 * offset, 2 ** bits).fill(one)
  }
  for (const [index, { table, multiplicities, offset }] of plan.tables.entries()) {
    const [a, b] = tableColumns(table)
    block(offset, index + 1, a, b)
    const counts = columns[multiplicities] as Int32Array
    storeIntegers(
      arena.view(first, counts.length),
      counts.map((count) => -count),
    )
    kernels.toMontgomery(first, counts.length, p + 4 * offset)
  }
  arena.release(mark)
  return { p, q, bits: plan.leafBits }
}

function joinLayer({ arena, kernels }: Workspace, { p, q, bits }: Layer): Layer {
  const half = 2 ** (bits - 1)
  const [outP, outQ] = [arena.words(5 * half), arena.words(5 * half)]
  kernels.joinFractions(p, q, 2 * half, outP, outQ)
  return { p: outP, q: outQ, bits: bits - 1 }
}

function proveTree(work: Workspace, writer: ProofWriter, layers: readonly Layer[]): Ext[] {
  const { transcript } = writer
  let halves = readHalves(work, layers[0] as Layer, 1)
  let point: Ext[] = []
  writer.exts('fractions/halves', halves)
  for (const [depth] of layers.entries()) {
    const [p0, p1, q0, q1] = halves as [Ext, Ext, Ext, Ext]
    const select = transcript.challenge('fractions/select')
    const mix = (low: Ext, high: Ext) => ext.add(low, ext.mul(select, ext.sub(high, low)))
    point = [...point, select]
    const next = layers[depth + 1]
    if (next === undefined) return point
    const lambda = transcript.challenge('fractions/combine')
    const claim = ext.add(mix(p0, p1), ext.mul(lambda, mix(q0, q1)))
    const reduced = proveLayer(work, writer, next, point, lambda, claim)
    point = reduced.point
    halves = reduced.halves
    writer.exts('fractions/halves', halves)
  }
  return point
}

/** Σ eq(weights, i)·(p₀q₁ + p₁q₀ + lambda·q₀q₁)(i), i over the parents of a layer. Destroys the layer. */
function proveLayer(
  work: Workspace,
  writer: ProofWriter,
  layer: Layer,
  weights: readonly Ext[],
  lambda: Ext,
  claimed: Ext,
): { point: Ext[]; halves: Ext[] } {
  const { arena, kernels } = work
  const mark = arena.mark()
  const stride = 2 ** layer.bits
  const parents = stride / 2
  const [p0, p1, q0, q1] = [layer.p, layer.p + 4 * parents, layer.q, layer.q + 4 * parents]
  const rest = weights.slice(0, -1)
  const eqStride = 2 ** rest.length
  const eq = arena.words(5 * eqStride)
  work.expandEq(eq, eqStride, rest, ext.ONE)
  const factor = work.montgomeryList([lambda])
  const out = arena.words(10)
  const point: Ext[] = []
  let claim = claimed
  for (let n = parents; n > 1; n /= 2) {
    kernels.fractionRound(p0, p1, q0, q1, stride, n, eq, eqStride, factor, out)
    const [atZero, leading] = work.readMontgomeryList(out, 2) as [Ext, Ext]
    // The claim is (1 − w)·t(0) + w·t(1). A challenge w of zero has probability 2^-154.
    const weight = weights[weights.length - 1 - point.length] as Ext
    const known = ext.mul(ext.sub(ext.ONE, weight), atZero)
    const atOne = ext.mul(ext.sub(claim, known), ext.inverse(weight))
    const polynomial: Quadratic = [atZero, atOne, leading]
    writer.exts('fractions/round', polynomial)
    const challenge = writer.transcript.challenge('fractions/round')
    claim = evaluateQuadratic(polynomial, challenge)
    point.unshift(challenge)
    const bound = work.montgomeryList([challenge])
    for (const vector of [p0, p1, q0, q1]) kernels.foldHalves(vector, stride, n, bound)
    if (n > 2) kernels.addHalves(eq, eqStride, n / 2)
  }
  const halves = readHalves(work, layer, parents)
  arena.release(mark)
  return { point, halves }
}

/** p₀, p₁, q₀, q₁ once everything else is bound; the halves of a vector lie `apart` elements from one another. */
function readHalves(work: Workspace, { p, q, bits }: Layer, apart: number): Ext[] {
  return [p, p + 4 * apart, q, q + 4 * apart].map((pointer) =>
    extFromMontgomery(work.readVector(pointer, 2 ** bits, 1)[0] as Ext),
  )
}
