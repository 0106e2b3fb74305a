/**
 * Functions of one value. They are put off until somebody reads the result, so that a function that a model spells out in
 * several operators (x·sigmoid(x), or GELU by way of Erf) becomes one table.
 */
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import type { Activation, Constant, Linear, Lowering, Pending, Value } from '../lowering.ts'
import { cannot, numberOf, textOf } from '../nodeParts.ts'

type Real = (x: number) => number

const sigmoid: Real = (x) => 1 / (1 + Math.exp(-x))
/** ln(1 + eˣ), without overflow. */
const softplus: Real = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const clip = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x))

/** erf by its Taylor series: within 1e-6 up to 5, and ±1 to within 2e-12 beyond. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x)
  let [term, sum] = [x, x]
  for (let n = 1; n < 120 && Math.abs(term) > 1e-17; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const gelu: Real = (x) => (x / 2) * (1 + erf(x / Math.SQRT2))
const geluTanh: Real = (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

/** By the definitions of the ONNX operators. */
const FUNCTIONS = new Map<string, (node: OnnxNode) => Real>(
  Object.entries({
    Abs: () => Math.abs,
    Elu: (node) => {
      const alpha = numberOf(node, 'alpha', 1)
      return (x) => (x < 0 ? alpha * Math.expm1(x) : x)
    },
    Erf: () => erf,
    Exp: () => Math.exp,
    Gelu: (node) => (textOf(node, 'approximate', 'none') === 'tanh' ? geluTanh : gelu),
    HardSigmoid: (node) => {
      const [alpha, beta] = [numberOf(node, 'alpha', 0.2), numberOf(node, 'beta', 0.5)]
      return (x) => clip(alpha * x + beta, 0, 1)
    },
    HardSwish: () => (x) => x * clip(x / 6 + 0.5, 0, 1),
    Mish: () => (x) => x * Math.tanh(softplus(x)),
    Reciprocal: () => (x) => 1 / x,
    Selu: (node) => {
      const alpha = numberOf(node, 'alpha', 1.6732631921768188)
      const gamma = numberOf(node, 'gamma', 1.0507010221481323)
      return (x) => gamma * (x < 0 ? alpha * Math.expm1(x) : x)
    },
    Sigmoid: () => sigmoid,
    Softplus: () => softplus,
    Softsign: () => (x) => x / (1 + Math.abs(x)),
    // A value rounded below zero is a zero.
    Sqrt: () => (x) => Math.sqrt(Math.max(0, x)),
    Tanh: () => Math.tanh,
  } satisfies Record<string, (node: OnnxNode) => Real>),
)

export const FUNCTION_NAMES = [...FUNCTIONS.keys()]

export function lowerFunction(lowering: Lowering, node: OnnxNode): Value {
  const make = FUNCTIONS.get(node.op)
  if (make === undefined) return cannot(node, 'is no function of one value')
  return lowering.postpone(node, lowering.activation(node, 0), make(node))
}

/** x to the power of a constant. */
export function lowerPow(lowering: Lowering, node: OnnxNode): Value {
  const { data } = lowering.constant(node, 1)
  const power = data[0] as number
  if (data.length !== 1) return cannot(node, 'has more than one exponent')
  return lowering.postpone(node, lowering.activation(node, 0), (x) => x ** power)
}

const JOINS: Record<string, (a: number, b: number) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
}

/**
 * A sum or product that is still a function of one value: both sides the same tensor, or one side a number. Undefined
 * where it is anything else, or where a number meets the unread input, whose encoding takes it.
 */
export function joinFunctions(lowering: Lowering, node: OnnxNode): Activation | undefined {
  const [a, b] = [lowering.value(node, 0), lowering.value(node, 1)]
  const join = JOINS[node.op] as (a: number, b: number) => number
  if (a.kind === 'activation' && b.kind === 'activation') {
    const same =
      a.tensor === b.tensor && a.order === b.order && a.affine === b.affine && a.dims.join() === b.dims.join()
    if (!same || a.quantised !== undefined || b.quantised !== undefined) return undefined
    const [first, second] = [a.pending ?? IDENTITY, b.pending ?? IDENTITY]
    const apply = (x: number) => join(first.apply(x), second.apply(x))
    return lowering.postpone(node, { ...a, pending: IDENTITY }, apply, joinLinear(node.op, first, second))
  }
  const [value, constant] = (a.kind === 'activation' ? [a, b] : [b, a]) as [Activation | Constant, Constant]
  if (value.kind !== 'activation' || constant.data.length !== 1 || value.quantised !== undefined)
    return undefined
  if (value.tensor === 0 && !lowering.inputIsRead && value.pending === undefined) return undefined
  const number = constant.data[0] as number
  const left = a.kind === 'activation'
  if (!left && node.op === 'Div') {
    if (value.pending === undefined || value.pending.linear !== undefined) return undefined
  } else if (node.op === 'Div' && number === 0) return undefined
  const fixed = { apply: () => number, linear: { factor: 0, offset: number } }
  const [first, second] = left ? [IDENTITY, fixed] : [fixed, IDENTITY]
  const apply = left ? (x: number) => join(x, number) : (x: number) => join(number, x)
  return lowering.postpone(node, value, apply, joinLinear(node.op, first, second))
}

/** The straight line of a sum, or of a product by a number; undefined for a curve. */
function joinLinear(op: string, a: Pending, b: Pending): Linear | undefined {
  if (a.linear === undefined || b.linear === undefined) return undefined
  const [p, q] = [a.linear, b.linear]
  if (op === 'Add') return { factor: p.factor + q.factor, offset: p.offset + q.offset }
  if (op === 'Sub') return { factor: p.factor - q.factor, offset: p.offset - q.offset }
  if (op === 'Mul' && p.factor === 0) return { factor: p.offset * q.factor, offset: p.offset * q.offset }
  if (op === 'Mul' && q.factor === 0) return { factor: p.factor * q.offset, offset: p.offset * q.offset }
  if (op === 'Div' && q.factor === 0) return { factor: p.factor / q.offset, offset: p.offset / q.offset }
  return undefined
}

const IDENTITY: Pending = { apply: (x) => x, linear: { factor: 1, offset: 0 } }
