/**
 * Networks to prove, with weights drawn like trained ones (bell-shaped, of either sign) and scales set so that activations
 * fill their eight bits. The statements proved are about these weights; the cost depends on shapes alone.
 */
import { type ArchitectureDraft, type Model, makeModel, type Parameters } from '@assay/zkml'

type NodeDraft = ArchitectureDraft['nodes'][number]

/** xorshift32: a measurement repeats. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Sum of four uniforms: standard deviation about 37, within ±127. */
function weightsOf(random: () => number, count: number): Int8Array {
  const one = () => Math.round((random() + random() + random() + random() - 2) * 63.5)
  return Int8Array.from({ length: count }, one)
}

/** Accumulators of `fanIn` products have a deviation near 37·60·√fanIn; four of them are to span the int8 range. */
function scaleFor(fanIn: number): { multiplier: number; shift: number } {
  const ratio = 128 / (4 * 37 * 60 * Math.sqrt(fanIn))
  const shift = Math.max(0, Math.floor(-Math.log2(ratio)) + 4)
  return { multiplier: Math.round(ratio * 2 ** shift), shift }
}

const RELU = { zeroPoint: -128, low: -128, high: 127 }

/** Layer sizes from the input to the output. */
export function perceptron(layers: readonly number[]): Model {
  const random = generator(1)
  const nodes = layers.slice(1).map((units, input): NodeDraft => {
    const last = input === layers.length - 2
    const requantise = last ? null : { ...scaleFor(layers[input] as number), ...RELU }
    return { op: 'dense', input, units, requantise }
  })
  const parameters = layers.slice(1).map((units, input): Parameters => {
    return { weights: weightsOf(random, units * (layers[input] as number)), bias: new Int32Array(units) }
  })
  const shape = { channels: layers[0] as number, height: 1, width: 1, zeroPoint: 0 }
  return makeModel({ input: shape, nodes }, parameters)
}

/** A network for 3 × 32 × 32 images (CIFAR-10): three convolutions, each pooled, and two dense layers; 262k parameters. */
export function convolutional(): Model {
  const random = generator(2)
  const nodes: NodeDraft[] = []
  const parameters: (Parameters | undefined)[] = []
  const add = (node: NodeDraft, units = 0, patch = 0) => {
    nodes.push(node)
    const bias = new Int32Array(units)
    parameters.push(units === 0 ? undefined : { weights: weightsOf(random, units * patch), bias })
  }
  let channels = 3
  for (const units of [16, 32, 64]) {
    const patch = 9 * channels
    add(
      {
        op: 'conv2d',
        input: nodes.length,
        channels: units,
        window: { height: 3, width: 3, strideY: 1, strideX: 1 },
        padding: { top: 1, left: 1, bottom: 1, right: 1 },
        requantise: { ...scaleFor(patch), ...RELU },
      },
      units,
      patch,
    )
    add({
      op: 'maxPool',
      input: nodes.length,
      window: { height: 2, width: 2, strideY: 2, strideX: 2 },
    })
    channels = units
  }
  add({ op: 'dense', input: nodes.length, units: 230, requantise: { ...scaleFor(1024), ...RELU } }, 230, 1024)
  add({ op: 'dense', input: nodes.length, units: 10, requantise: null }, 10, 230)
  return makeModel({ input: { channels: 3, height: 32, width: 32, zeroPoint: 0 }, nodes }, parameters)
}

export function parameterCount({ parameters }: Model): number {
  return parameters.reduce((sum, own) => sum + (own?.weights.length ?? 0) + (own?.bias.length ?? 0), 0)
}
