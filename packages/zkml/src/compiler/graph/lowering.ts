/** What the lowering of one ONNX node works with: values by name, attributes by type, and the graph that grows. */
import type { Shape } from '../../circuit/architecture.ts'
import { LIMITS } from '../../circuit/checkArchitecture.ts'
import { type InputForm, type Range, valuesOf } from '../../circuit/encoding.ts'
import type { OnnxModel, OnnxNode } from '../onnx/onnxModel.ts'
import type { FloatNode, FloatOperator, FloatTensor } from './floatGraph.ts'
import { cannot } from './nodeParts.ts'

/** A tensor known when the model is compiled. */
export type Constant = {
  kind: 'constant'
  dims: readonly number[]
  integer: boolean
  /** TensorProto.DataType where the model states one. */
  elementType?: number
  data: ArrayLike<number>
}

/** factor·x + offset. */
export type Linear = { factor: number; offset: number }

/** A function of one value, with the straight line that it is, if it is one. */
export type Pending = { apply: (x: number) => number; linear: Linear | undefined }

/**
 * A tensor of the network as ONNX sees it: `dims`, with a batch of one in front, over a tensor of the graph; `order[i]` is
 * where the i-th of its values lies there, null for the same order.
 */
export type Activation = {
  kind: 'activation'
  tensor: FloatTensor
  dims: readonly number[]
  order: Int32Array | null
  /** factor·x + offset of the model's input before any node reads it, one number or one a value. */
  affine?: { factor: Float64Array; offset: Float64Array } | undefined
  /** A function of every value that no node has computed yet: the next one that reads it puts a map in front. */
  pending?: Pending | undefined
  /** Between QuantizeLinear and DequantizeLinear. */
  quantised?: Range | undefined
}

export type Value = Constant | Activation

/** Numbers written down while lowering, over all nodes: permutations, constants spread out, weights. */
const MOST_WORK = 2 ** 27

export class Lowering {
  readonly opset: number
  readonly nodes: FloatNode[] = []
  readonly values = new Map<string, Value>()
  /** The input's form, fixed by the first node that reads it. */
  input: InputForm
  #inputRead = false
  #spent = 0
  readonly #mapped = new Map<Pending, FloatTensor>()
  readonly #nameOf = new Map<Pending, string>()
  inputRange: Range | undefined

  constructor({ opset }: OnnxModel, input: InputForm) {
    this.opset = opset
    this.input = input
  }

  /**
   * Counts numbers that lowering writes down, before it does: a small file must not ask for unbounded work.
   * @throws ZkmlError cannot_compile
   */
  spend(node: Pick<OnnxNode, 'name' | 'op'>, numbers: number): void {
    this.#spent += numbers
    if (this.#spent > MOST_WORK)
      cannot(node, 'comes where compiling has written as much as it may', { mostNumbers: MOST_WORK })
  }

  /** Appends a node and gives its tensor as ONNX sees it. @throws ZkmlError cannot_compile past the circuit's tensors */
  add(name: string, operator: FloatOperator, shape: Shape, dims?: readonly number[]): Activation {
    checkSize({ name, op: operator.op }, shape)
    const node: FloatNode = { ...operator, name, shape, clamp: undefined, range: undefined }
    const tensor = this.nodes.push(node)
    const { channels, height, width } = shape
    return { kind: 'activation', tensor, dims: dims ?? [1, channels, height, width], order: null }
  }

  /** Whether a node has read the input, so that its form is settled. */
  get inputIsRead(): boolean {
    return this.#inputRead
  }

  shapeOf(tensor: FloatTensor): Shape {
    return tensor === 0 ? this.input.shape : (this.nodes[tensor - 1] as FloatNode).shape
  }

  /**
   * An activation that a node is about to read, as a tensor of the graph with the wanted shape and order. The input takes
   * on whatever form its first reader wants; any other tensor is as it is. A shape left out: as it lies.
   * @throws ZkmlError cannot_compile
   */
  read(node: OnnxNode, value: Activation, shape?: Shape): Activation {
    const mapped = value.pending === undefined ? value : this.#map(node, value, value.pending)
    const settled = mapped.tensor === 0 ? this.#settleInput(node, mapped, shape) : mapped
    if (shape === undefined) return settled
    const own = this.shapeOf(settled.tensor)
    const same = (['channels', 'height', 'width'] as const).every((side) => own[side] === shape[side])
    if (same && settled.order === null) return settled
    return cannot(
      node,
      'reads a tensor that was reshaped or transposed',
      { has: sides(own), wanted: sides(shape) },
      'the circuit can reorder values only before Gemm or MatMul and at the model’s input; remove the Reshape or Transpose',
    )
  }

  /** The tensor of a pending function, one for all that read it; a straight line can still be fused. */
  #map(node: OnnxNode, value: Activation, pending: Pending): Activation {
    const source = value.tensor === 0 ? this.#settleInput(node, value, undefined) : value
    const known = this.#mapped.get(pending)
    if (known !== undefined) return { ...source, tensor: known, pending: undefined }
    const shape = this.shapeOf(source.tensor)
    const each = (x: number) => new Float64Array(shape.channels).fill(x)
    const operator: FloatOperator =
      pending.linear === undefined
        ? { op: 'map', input: source.tensor, apply: pending.apply }
        : {
            op: 'affine',
            input: source.tensor,
            factor: each(pending.linear.factor),
            offset: each(pending.linear.offset),
          }
    const { tensor } = this.add(this.#nameOf.get(pending) ?? node.name, operator, shape)
    this.#mapped.set(pending, tensor)
    return { ...source, tensor, pending: undefined }
  }

  /** Puts a function behind what is pending already; it is computed when somebody reads the result. */
  postpone(node: OnnxNode, value: Activation, apply: (x: number) => number, linear?: Linear): Activation {
    const before = value.pending
    const joined: Pending =
      before === undefined
        ? { apply, linear }
        : {
            apply: (x) => apply(before.apply(x)),
            linear: linear && before.linear && after(linear, before.linear),
          }
    this.#nameOf.set(joined, node.name)
    return { ...value, pending: joined }
  }

  #settleInput(node: OnnxNode, value: Activation, shape: Shape | undefined): Activation {
    const factor = value.affine?.factor ?? new Float64Array([1])
    const offset = value.affine?.offset ?? new Float64Array([0])
    if (!this.#inputRead) {
      this.#inputRead = true
      const order = shape === undefined ? null : value.order
      const place = (list: Float64Array) =>
        list.length === 1 || order === null ? list : Float64Array.from(order, (at) => list[at] as number)
      this.input = {
        ...this.input,
        shape: shape ?? this.input.shape,
        order,
        factor: place(factor),
        offset: place(offset),
      }
      return { ...value, order: shape === undefined ? value.order : null, affine: undefined }
    }
    const known = this.input
    const placed = (list: Float64Array) =>
      list.length === 1 || known.order === null
        ? list
        : Float64Array.from(known.order, (at) => list[at] as number)
    const sameList = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      a.length === b.length && Array.from(a).every((x, at) => x === b[at])
    if (sameList(known.factor, placed(factor)) && sameList(known.offset, placed(offset)))
      return { ...value, order: throughInput(value.order, known.order), affine: undefined }
    return cannot(
      node,
      'reads the model’s input in another form than the first node that read it',
      {},
      'normalise the input once, in front of everything else',
    )
  }

  value(node: OnnxNode, at: number): Value {
    const name = node.inputs[at]
    const value = name === undefined || name === '' ? undefined : this.values.get(name)
    if (value === undefined)
      return cannot(node, 'lacks an input, or reads one that comes later', { input: at })
    return value
  }

  activation(node: OnnxNode, at: number): Activation {
    const value = this.value(node, at)
    if (value.kind === 'activation' && value.quantised !== undefined)
      return cannot(
        node,
        'works on quantised integers',
        { input: node.inputs[at] },
        'quantise the model in the QDQ format (QuantizeLinear and DequantizeLinear around float operators)',
      )
    if (value.kind === 'activation') return value
    return cannot(node, 'works on a constant where the circuit needs a tensor', { input: node.inputs[at] })
  }

  constant(node: OnnxNode, at: number): Constant {
    const value = this.value(node, at)
    if (value.kind === 'constant') return value
    return cannot(
      node,
      'needs a constant where the model computes a value',
      { input: node.inputs[at] },
      'only products and sums with constants fixed at export can be compiled there',
    )
  }

  optional(node: OnnxNode, at: number): Constant | undefined {
    return (node.inputs[at] ?? '') === '' ? undefined : this.constant(node, at)
  }
}

/**
 * An order over the ONNX input's values as one over the circuit's input, which holds at each place the value that `laid`
 * says.
 */
function throughInput(order: Int32Array | null, laid: Int32Array | null): Int32Array | null {
  if (laid === null) return order
  const place = new Int32Array(laid.length)
  for (const [at, from] of laid.entries()) place[from] = at
  const composed = place.map((at, i) => (order === null ? at : (place[order[i] as number] as number)))
  return composed.every((at, i) => at === i) ? null : composed
}

/** The line `first` and then the line `second`. */
function after(second: Linear, first: Linear): Linear {
  return { factor: second.factor * first.factor, offset: second.factor * first.offset + second.offset }
}

/** Tensors of the circuit are bounded; whatever is as large as one is then bounded too. @throws ZkmlError cannot_compile */
export function checkSize(node: Pick<OnnxNode, 'name' | 'op'>, shape: Shape): void {
  if (!(valuesOf(shape) <= LIMITS.tensor))
    cannot(node, `makes a tensor of more than ${LIMITS.tensor} values`, { shape: sides(shape) })
}

/** The circuit's shape of ONNX dimensions: a batch of one, channels, and up to two sides. */
export function shapeOf(node: OnnxNode, dims: readonly number[]): Shape {
  const [batch, channels, ...image] = dims.length === 1 ? [1, ...dims] : dims
  if (batch !== 1 || channels === undefined || image.length > 2)
    return cannot(
      node,
      'works on a tensor of a shape that the circuit does not have',
      { dims: dims.join('×') },
      'a tensor is [1, values], [1, channels, length] or [1, channels, height, width]; export with a batch of one',
    )
  const width = image.at(-1) ?? 1
  return { channels, height: image.length === 2 ? (image[0] as number) : 1, width }
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((size, side) => size * side, 1)
}

function sides(shape: Shape): string {
  return `${shape.channels}×${shape.height}×${shape.width} (${valuesOf(shape)} values)`
}
