/**
 * The Noir program of a perceptron's circuit, weights written in as constants: the same integers as ours give, with the same
 * bounds shown of every quotient and remainder. What UltraHonk is measured on.
 */
import type { Model } from '@assay/zkml'

type Dense = Extract<Model['plan']['architecture']['nodes'][number], { op: 'dense' }>

/** Comparisons are made on unsigned numbers, so everything signed is moved up by this; above 2^18, the farthest target. */
const LIFT = 2 ** 20

const LIBRARY = `
unconstrained fn split(value: u64, divisor: u64) -> (u64, u64) { (value / divisor, value % divisor) }

// target + LIFT, of (accumulator·multiplier + 2^(shift-1)) / 2^shift rounded down, then clamped; accumulators are lifted.
fn requantise(lifted: Field, divisor: Field, divisor_bits: u32, target_bits: u32, least: Field, low: u32, high: u32) -> Field {
  // Safety: the quotient and the remainder are constrained below.
  let (quotient, remainder) = unsafe { split(lifted as u64, divisor as u64) };
  let (q, r) = (quotient as Field, remainder as Field);
  assert(lifted == q * divisor + r);
  assert((r as u64) < (1 << (divisor_bits as u64)));
  assert((q as u64) < (1 << (target_bits as u64)));
  let target = (q + least) as u32;
  let raised = if target < low { low } else { target };
  let clamped = if raised > high { high } else { raised };
  clamped as Field
}
`

/** @returns undefined for a circuit that has other layers than dense ones */
export function noirSource({ plan, parameters }: Model): string | undefined {
  const { input, nodes } = plan.architecture
  if (!nodes.every((node): node is Dense => node.op === 'dense')) return undefined
  const lines = [LIBRARY]
  const inputs = input.channels * input.height * input.width
  const outputs = nodes.at(-1)?.units ?? 0
  lines.push(`fn main(x: pub [Field; ${inputs}], y: pub [Field; ${outputs}]) {`)
  lines.push(`  let x0 = x.map(|value: Field| value - (${input.zeroPoint}));`)
  let width = inputs
  for (const [layer, { units, multipliers, requantise }] of nodes.entries()) {
    const own = parameters[layer]
    if (own === undefined) return undefined
    lines.push(`  let mut x${layer + 1}: [Field; ${units}] = [0; ${units}];`)
    for (let unit = 0; unit < units; unit++) {
      const terms = Array.from({ length: width }, (_, at) => own.weights[unit * width + at] as number)
      const sum = terms.flatMap((weight, at) => (weight === 0 ? [] : [`x${layer}[${at}] * (${weight})`]))
      const multiplier = multipliers?.[unit] ?? 1
      const accumulator = `(${[...sum, `(${own.bias[unit]})`].join(' + ')}) * ${multiplier}`
      const target = requantise === null ? accumulator : requantised(accumulator, requantise)
      lines.push(`  x${layer + 1}[${unit}] = ${target};`)
    }
    width = units
  }
  lines.push(`  for i in 0..${outputs} { assert(x${nodes.length}[i] == y[i]); }`, '}')
  return lines.join('\n')
}

/** The next layer's input, its zero point taken off already. */
function requantised(accumulator: string, requantise: NonNullable<Dense['requantise']>): string {
  const { multiplier, shift, zeroPoint, low, high, reach } = requantise
  const divisor = 2 ** shift
  // Lifted so that the quotient runs from 0 to 2^(reach+1), for targets from −2^reach.
  const offset = (2 ** reach + zeroPoint) * divisor + (shift === 0 ? 0 : divisor / 2)
  const lifted = `(${accumulator}) * ${multiplier} + ${offset}`
  const least = LIFT - 2 ** reach
  const bounds = `${low + LIFT}, ${high + LIFT}`
  return `requantise(${lifted}, ${divisor}, ${shift}, ${reach + 1}, ${least}, ${bounds}) - ${LIFT + zeroPoint}`
}
