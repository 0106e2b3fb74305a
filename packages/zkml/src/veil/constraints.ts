/**
 * All that a trace asks, as one inner product with the pads. Hidden elements are what was said less the pads, so sums and
 * scalings are linear in the pads. For each product z = x·y the prover committed, before anything was said, to a, b and
 * c = a·b; it shows f = e·x − a and g = y − b for a random e, both uniform, and then
 *   e·z − c − g·a − f·b − f·g = e·(z − x·y) − (c − a·b)
 * is linear too, and zero for at most one e unless both products are true (Beaver's triples, sacrificed).
 */
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { Counts, Operand, Trace } from './trace.ts'

/** Where the committed elements lie: pads of what is said, pads of what is said late, then a, b, c a product. */
export function committedCount({ said, late, products }: Counts): number {
  return said + late + 3 * products
}

/** Constraints: one an equality, three a product. */
export function constraintCount({ equalities, products }: Counts): number {
  return equalities + 3 * products
}

export type Spoken = {
  /** Under their pads: said during the conversation, then late. */
  padded: readonly Ext[]
  /** e. */
  factor: Ext
  /** f and g of every product. */
  shown: readonly Ext[]
}

/** "Σ weights·committed is `sum`." */
export type Combined = { weights: Ext[]; sum: Ext }

/** Σ over constraints of γ, γ², … times each. One pass back over the nodes gives every weight. */
export function combineConstraints(
  trace: Trace,
  { padded, factor, shown }: Spoken,
  challenge: Ext,
): Combined {
  const { nodes, said, late, products, equalities } = trace
  const adjoints: Ext[] = nodes.map(() => ext.ZERO)
  let constant = ext.ZERO
  const give = (to: Operand, weight: Ext) => {
    if (typeof to === 'number') adjoints[to] = ext.add(adjoints[to] as Ext, weight)
    else constant = ext.add(constant, ext.mul(weight, to))
  }
  const take = (from: Operand, weight: Ext) => give(from, ext.sub(ext.ZERO, weight))
  let power = ext.ONE
  const nextPower = () => {
    power = ext.mul(power, challenge)
    return power
  }

  for (const [a, b] of equalities) {
    const weight = nextPower()
    give(a, weight)
    take(b, weight)
  }
  const triples = products.flatMap((z, at) => {
    const { x, y } = nodes[z] as { x: number; y: number }
    const [f, g] = [shown[2 * at] as Ext, shown[2 * at + 1] as Ext]
    const [first, second, third] = [nextPower(), nextPower(), nextPower()]
    give(x, ext.mul(first, factor))
    take(f, first)
    give(y, second)
    take(g, second)
    give(z, ext.mul(third, factor))
    take(ext.mul(f, g), third)
    return [ext.add(first, ext.mul(third, g)), ext.add(second, ext.mul(third, f)), third]
  })

  for (let at = nodes.length - 1; at >= 0; at--) {
    const node = nodes[at] as Trace['nodes'][number]
    const weight = adjoints[at] as Ext
    if (node.op === 'sum' || node.op === 'difference') {
      give(node.a, weight)
      if (node.op === 'sum') give(node.b, weight)
      else take(node.b, weight)
    } else if (node.op === 'scaled') give(node.a, ext.mul(weight, node.by))
  }

  const pads = [...said, ...late].map((at) => adjoints[at] as Ext)
  const sum = ext.add(constant, ext.sum(pads.map((weight, at) => ext.mul(weight, padded[at] as Ext))))
  return { weights: [...pads, ...triples], sum }
}
