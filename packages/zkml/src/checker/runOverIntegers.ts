/**
 * The meaning of a circuit, written down a second time: true shapes, nested loops, BigInt, no padding, no field, and no
 * code shared with the prover or the verifier. Slow on purpose; everything else is checked against it.
 */
import type { Architecture, Contract, Indices, Node, Requantise } from '../circuit/architecture.ts'
import type { Parameters } from '../circuit/model.ts'

/** channel → row → column. */
type Image = bigint[][][]

type Value = { image: Image; zeroPoint: bigint }

/** The output of a model on an input, in the order channel, row, column. */
export function runOverIntegers(
  { input, nodes }: Architecture,
  parameters: readonly (Parameters | undefined)[],
  values: ArrayLike<number>,
): number[] {
  let next = 0
  const first = build(input.channels, input.height, input.width, () => BigInt(values[next++] as number))
  const tensors: Value[] = [{ image: first, zeroPoint: BigInt(input.zeroPoint) }]
  for (const [index, node] of nodes.entries()) tensors.push(runNode(node, tensors, parameters[index]))
  return (tensors.at(-1) as Value).image.flat(2).map(Number)
}

function build(
  channels: number,
  height: number,
  width: number,
  at: (c: number, y: number, x: number) => bigint,
): Image {
  const list = <T>(length: number, item: (i: number) => T) => Array.from({ length }, (_, i) => item(i))
  return list(channels, (c) => list(height, (y) => list(width, (x) => at(c, y, x))))
}

function runNode(node: Node, tensors: readonly Value[], own: Parameters | undefined): Value {
  if (node.op === 'combine') {
    const terms = node.terms.map((term) => ({ ...term, value: tensors[term.input] as Value }))
    const { image } = (terms[0] as (typeof terms)[number]).value
    const sums = map(image, (c, y, x) =>
      terms.reduce(
        (sum, { value, multiplier }) =>
          sum + BigInt(multiplier) * (broadcast(value.image, c, y, x) - value.zeroPoint),
        BigInt(node.offsets?.[(c * (image[0]?.length ?? 0) + y) * (image[0]?.[0]?.length ?? 0) + x] ?? 0),
      ),
    )
    return requantised(sums, node.requantise)
  }
  if (node.op === 'contract') return requantised(runContract(node, tensors), node.requantise)
  const source = tensors[node.input] as Value
  const centred = map(source.image, (c, y, x) => at(source.image, c, y, x) - source.zeroPoint)
  const flat = centred.flat(2)
  const times = (unit: number) => BigInt(('multipliers' in node && node.multipliers?.[unit]) || 1)
  switch (node.op) {
    case 'dense': {
      const sums = build(node.units, 1, 1, (unit) =>
        flat.reduce(
          (sum, x, j) => sum + times(unit) * x * BigInt(own?.weights[unit * flat.length + j] ?? 0),
          times(unit) * BigInt(own?.bias[unit] ?? 0),
        ),
      )
      return requantised(sums, node.requantise)
    }
    case 'conv2d': {
      const { window, padding } = node
      const seen = centred.length / (node.groups ?? 1)
      const made = node.channels / (node.groups ?? 1)
      const height = (centred[0]?.length ?? 0) + padding.top + padding.bottom
      const width = (centred[0]?.[0]?.length ?? 0) + padding.left + padding.right
      const rows = Math.floor((height - window.height) / window.strideY) + 1
      const columns = Math.floor((width - window.width) / window.strideX) + 1
      const sums = build(node.channels, rows, columns, (co, y, x) => {
        let sum = BigInt(own?.bias[co] ?? 0)
        const first = Math.floor(co / made) * seen
        for (let ci = 0; ci < seen; ci++)
          for (let ky = 0; ky < window.height; ky++)
            for (let kx = 0; kx < window.width; kx++) {
              const weight = own?.weights[((co * seen + ci) * window.height + ky) * window.width + kx] ?? 0
              const row = y * window.strideY + ky - padding.top
              const column = x * window.strideX + kx - padding.left
              sum += BigInt(weight) * (centred[first + ci]?.[row]?.[column] ?? 0n)
            }
        return times(co) * sum
      })
      return requantised(sums, node.requantise)
    }
    case 'sumPool':
      return requantised(
        windows(centred, node.window, (values) => values.reduce((a, b) => a + b, 0n)),
        node.requantise,
      )
    case 'map': {
      const image = map(source.image, (c, y, x) =>
        BigInt(node.values[Number(at(source.image, c, y, x)) + 128] as number),
      )
      return { image, zeroPoint: BigInt(node.zeroPoint) }
    }
    case 'maxPool': {
      const largest = (values: bigint[]) => values.toSorted((a, b) => (a < b ? 1 : -1))[0] as bigint
      return { image: windows(source.image, node.window, largest), zeroPoint: source.zeroPoint }
    }
  }
}

/** A value, or the only one of an axis that has one only. */
function broadcast(image: Image, c: number, y: number, x: number): bigint {
  const rows = image[image.length === 1 ? 0 : c] as bigint[][]
  const row = rows[rows.length === 1 ? 0 : y] as bigint[]
  return row[row.length === 1 ? 0 : x] as bigint
}

/** Every assignment of a number to every index, one loop for all: its product goes where the output's indices say. */
function runContract(node: Contract, tensors: readonly Value[]): Image {
  const operands = [node.left, node.right].map((operand) => ({
    ...operand,
    ...(tensors[operand.input] as Value),
  }))
  const length = new Map<number, number>()
  for (const { image, indices } of operands) {
    const groups = indices[0] === 0 ? 1 : node.groups
    const sides = [groups, image.length / groups, image[0]?.length ?? 0, image[0]?.[0]?.length ?? 0]
    for (const [axis, index] of indices.entries())
      length.set(index, index === 0 ? 1 : (sides[axis] as number))
  }
  const side = (index: number) => (index === 0 ? 1 : (length.get(index) as number))
  const place = (indices: Indices, value: (index: number) => number) => {
    const [group, channel, row, column] = indices.map((index) => (index === 0 ? 0 : value(index))) as [
      number,
      number,
      number,
      number,
    ]
    return [group * side(indices[1]) + channel, row, column] as const
  }
  const [groups, channels, rows, columns] = node.output.map(side) as [number, number, number, number]
  const sums = build(groups * channels, rows, columns, () => 0n)
  const counted = [...length.keys()].filter((index) => index !== 0)
  const total = counted.reduce((product, index) => product * side(index), 1)
  for (let count = 0; count < total; count++) {
    const value = (index: number) => {
      let rest = count
      for (const other of counted) {
        if (other === index) return rest % side(other)
        rest = Math.floor(rest / side(other))
      }
      throw new TypeError('an index of the output must be one of an operand')
    }
    const [a, b] = operands.map(
      ({ image, indices, zeroPoint }) => at(image, ...place(indices, value)) - zeroPoint,
    ) as [bigint, bigint]
    const [c, y, x] = place(node.output, value)
    const row = sums[c]?.[y] as bigint[]
    row[x] = (row[x] as bigint) + a * b
  }
  return sums
}

function windows(
  image: Image,
  window: { height: number; width: number; strideY: number; strideX: number },
  reduce: (values: bigint[]) => bigint,
): Image {
  const rows = Math.floor(((image[0]?.length ?? 0) - window.height) / window.strideY) + 1
  const columns = Math.floor(((image[0]?.[0]?.length ?? 0) - window.width) / window.strideX) + 1
  return build(image.length, rows, columns, (c, y, x) => {
    const values: bigint[] = []
    for (let ky = 0; ky < window.height; ky++)
      for (let kx = 0; kx < window.width; kx++)
        values.push(at(image, c, y * window.strideY + ky, x * window.strideX + kx))
    return reduce(values)
  })
}

function at(image: Image, c: number, y: number, x: number): bigint {
  return image[c]?.[y]?.[x] as bigint
}

function map(image: Image, value: (c: number, y: number, x: number) => bigint): Image {
  return image.map((rows, c) => rows.map((row, y) => row.map((_, x) => value(c, y, x))))
}

/** Half up, then saturate; accumulators without requantisation stay as they are. */
function requantised(sums: Image, requantise: Requantise | null): Value {
  if (requantise === null) return { image: sums, zeroPoint: 0n }
  const { multiplier, shift, zeroPoint, low, high } = requantise
  const divisor = 2n ** BigInt(shift)
  const image = map(sums, (c, y, x) => {
    // round(a / d), ties up, is floor((2a + d) / 2d).
    const doubled = 2n * at(sums, c, y, x) * BigInt(multiplier) + divisor
    const rounded =
      doubled >= 0n ? doubled / (2n * divisor) : -((-doubled + 2n * divisor - 1n) / (2n * divisor))
    const target = rounded + BigInt(zeroPoint)
    return target < BigInt(low) ? BigInt(low) : target > BigInt(high) ? BigInt(high) : target
  })
  return { image, zeroPoint: BigInt(zeroPoint) }
}
