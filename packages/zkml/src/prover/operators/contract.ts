/** Contractions on integers. */
import type { Contract, Indices, Shape } from '../../circuit/architecture.ts'
import type { Tensor } from '../../circuit/checkArchitecture.ts'
import { type Contraction, contractionOf, ofKind, shiftsOf } from '../../circuit/contraction.ts'
import type { Model } from '../../circuit/model.ts'

/** Over the whole padded output; of the summed indices only what is no padding. */
export function contract({ plan }: Model, node: Contract, inputs: readonly Int32Array[]): Int32Array {
  const operands = [node.left, node.right].map(({ input, indices }, at) => {
    const { zeroPoint } = plan.tensors[input] as Tensor
    return { indices, values: (inputs[at] as Int32Array).map((x) => x - zeroPoint) }
  })
  const shape = (operand: { input: number }): Shape => plan.tensors[operand.input] as Tensor
  const contraction = contractionOf(node, shape(node.left), shape(node.right))
  const outer = node.output.filter((index) => index !== 0).reverse()
  const inner = ofKind(contraction, 'summed')
  const [left, right] = operands.map(({ indices, values }) => ({
    values,
    outer: places(contraction, indices, outer, ({ bits }) => 2 ** bits),
    inner: places(contraction, indices, inner, ({ side }) => side),
  })) as [Operand, Operand]
  return Int32Array.from(left.outer, (_, at) => sumOfProducts(left, right, at))
}

/** An operand's values, and where they lie as the output's indices and the summed ones count up. */
type Operand = { values: Int32Array; outer: number[]; inner: number[] }

function sumOfProducts(left: Operand, right: Operand, at: number): number {
  const [fromLeft, fromRight] = [left.outer[at] as number, right.outer[at] as number]
  let sum = 0
  for (let k = 0; k < left.inner.length; k++) {
    const a = left.values[fromLeft + (left.inner[k] as number)] as number
    sum += a * (right.values[fromRight + (right.inner[k] as number)] as number)
  }
  return sum
}

/** The first of the indices counts fastest; one that the tensor lacks does not move. */
function places(
  contraction: Contraction,
  indices: Indices,
  counted: readonly number[],
  lengthOf: (index: { side: number; bits: number }) => number,
): number[] {
  const shifts = shiftsOf(contraction, indices)
  return counted.reduce<number[]>(
    (found, index) => {
      const step = shifts.has(index) ? 2 ** (shifts.get(index) as number) : 0
      const length = lengthOf(contraction.get(index) as { side: number; bits: number })
      return Array.from({ length }, (_, value) => value * step).flatMap((high) =>
        found.map((low) => low + high),
      )
    },
    [0],
  )
}
