/** Random circuits: the prover computes what the integers say, its proof verifies, and the encoding comes back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import type { Architecture, Indices, Padding, Shape, Window } from '../src/circuit/architecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../src/circuit/encodeArchitecture.ts'
import { type ArchitectureDraft, type Model, makeModel, type Parameters } from '../src/circuit/model.ts'
import { planCircuit } from '../src/circuit/planCircuit.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { soundnessOf } from '../src/soundness/soundness.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomInput, randomIntegers } from './support/models.ts'

/** The long run is `npm run test:proofs`. */
const CIRCUITS = Number(process.env.ASSAY_RANDOM_CIRCUITS ?? 40)

type NodeDraft = ArchitectureDraft['nodes'][number]
type Random = (low: number, high: number) => number

function randomRequantise(random: Random) {
  const zeroPoint = random(-128, 127)
  const low = random(0, 1) === 0 ? zeroPoint : random(-128, 127)
  return { multiplier: random(1, 40), shift: random(0, 14), zeroPoint, low, high: random(low, 127) }
}

function randomWindow(random: Random, { height, width }: Shape): Window {
  const side = (limit: number) => random(1, Math.min(3, limit))
  return { height: side(height), width: side(width), strideY: random(1, 2), strideX: random(1, 2) }
}

/** Whether each side of a tensor is that of another, or 1. */
const standsFor = (tensor: Shape, other: Shape) =>
  (['channels', 'height', 'width'] as const).every(
    (side) => tensor[side] === other[side] || tensor[side] === 1,
  )

/** Two tensors whose sides meet in indices by chance: where two sides are alike, one index may run along both. */
function randomContraction(random: Random, input: number, shapes: readonly Shape[]) {
  const other = random(0, input)
  const [left, right] = [shapes[input] as Shape, shapes[other] as Shape]
  const sides = [left, right].map(({ channels, height, width }) => [1, channels, height, width])
  const length: number[] = [1]
  const indicesOf = (own: readonly number[], known: readonly number[]) => {
    const used: number[] = []
    return own.map((side) => {
      if (side === 1) return 0
      const alike = known.filter((index) => length[index] === side && !used.includes(index))
      const index = alike.length > 0 && random(0, 3) > 0 ? (alike[0] as number) : length.push(side) - 1
      used.push(index)
      return index
    }) as unknown as Indices
  }
  const inLeft = indicesOf(sides[0] as number[], [])
  const inRight = indicesOf(
    sides[1] as number[],
    inLeft.filter((index) => index !== 0),
  )
  const single = [...new Set([...inLeft, ...inRight])].filter(
    (index) => index !== 0 && !(inLeft.includes(index) && inRight.includes(index)),
  )
  const both = inLeft.filter((index) => index !== 0 && inRight.includes(index))
  // The output has three sides for what must stay; what is in both may stay where there is room.
  const kept = [...single, ...both.filter(() => random(0, 1) === 0)].slice(0, 3)
  if (kept.length < single.length) return randomProduct(input, left)
  const places = [kept[0] ?? 0, kept[1] ?? 0, kept[2] ?? 0] as const
  const node = {
    op: 'contract',
    groups: 1,
    left: { input, indices: inLeft },
    right: { input: other, indices: inRight },
    output: [0, ...places],
  } as const
  const [channels, height, width] = places.map((index) => length[index] as number) as [number, number, number]
  return { node, output: { channels, height, width } }
}

/** A tensor times itself, value by value. */
function randomProduct(input: number, shape: Shape) {
  let next = 1
  const [channel, row, column] = [shape.channels, shape.height, shape.width].map((side) =>
    side === 1 ? 0 : next++,
  ) as [number, number, number]
  const operand = { input, indices: [0, channel, row, column] as const }
  return {
    node: { op: 'contract', groups: 1, left: operand, right: operand, output: operand.indices } as const,
    output: shape,
  }
}

/** A circuit of up to four nodes before the last, each reading the tensor before it, or two of one shape. */
function randomModel(seed: number): Model | undefined {
  const random = randomIntegers(seed)
  const shapes: Shape[] = [{ channels: random(1, 3), height: random(1, 6), width: random(1, 6) }]
  const nodes: NodeDraft[] = []
  const parameters: (Parameters | undefined)[] = []
  const add = (node: NodeDraft, shape: Shape, sides?: [units: number, patch: number]) => {
    nodes.push(node)
    shapes.push(shape)
    const weights = (count: number) => Int8Array.from({ length: count }, () => random(-128, 127))
    const bias = (count: number) => Int32Array.from({ length: count }, () => random(-5000, 5000))
    parameters.push(sides && { weights: weights(sides[0] * sides[1]), bias: bias(sides[0]) })
  }
  const multipliers = (units: number) =>
    random(0, 1) === 0 ? {} : { multipliers: Array.from({ length: units }, () => random(1, 9)) }
  for (let count = random(1, 4); count > 0; count--) {
    const input = nodes.length
    const shape = shapes[input] as Shape
    const window = randomWindow(random, shape)
    const requantise = randomRequantise(random)
    const slid = (padding: Padding, channels: number): Shape => ({
      channels,
      height: Math.floor((shape.height + padding.top + padding.bottom - window.height) / window.strideY) + 1,
      width: Math.floor((shape.width + padding.left + padding.right - window.width) / window.strideX) + 1,
    })
    const none = { top: 0, left: 0, bottom: 0, right: 0 }
    const kind = random(0, 5)
    if (kind === 0) {
      const channels = random(1, 5)
      const padding = { top: random(0, 1), left: random(0, 1), bottom: random(0, 1), right: random(0, 1) }
      const node = {
        op: 'conv2d',
        input,
        channels,
        window,
        padding,
        requantise,
        ...multipliers(channels),
      } as const
      const area = window.height * window.width
      if (shape.channels > 1 && random(0, 1) === 0) {
        // A group a channel, each giving one, two or four.
        const made = shape.channels * 2 ** random(0, 2)
        const grouped = { ...node, channels: made, groups: shape.channels, ...multipliers(made) }
        add(grouped, slid(padding, made), [made, area])
      } else add(node, slid(padding, channels), [channels, shape.channels * area])
    } else if (kind === 1) add({ op: 'sumPool', input, window, requantise }, slid(none, shape.channels))
    else if (kind === 4) {
      const values = Array.from({ length: 256 }, () => random(-128, 127))
      add({ op: 'map', input, zeroPoint: random(-128, 127), values }, shape)
    } else if (kind === 5) {
      const { node, output } = randomContraction(random, nodes.length, shapes)
      add({ ...node, requantise }, output)
    } else if (kind === 2 && window.height * window.width > 1)
      add({ op: 'maxPool', input, window }, slid(none, shape.channels))
    else {
      const same = shapes.findIndex((other) => JSON.stringify(other) === JSON.stringify(shape))
      const fits = shapes.flatMap((other, at) => (standsFor(other, shape) ? [at] : []))
      const other = fits[random(0, fits.length - 1)] as number
      const terms = [input, same, other].map((tensor) => ({ input: tensor, multiplier: random(-50, 50) }))
      const offset = () => random(-3000, 3000)
      const size = shape.channels * shape.height * shape.width
      const offsets = random(0, 1) === 0 ? {} : { offsets: Array.from({ length: size }, offset) }
      add({ op: 'combine', terms, ...offsets, requantise }, shape)
    }
  }
  const { channels, height, width } = shapes.at(-1) as Shape
  const units = random(1, 5)
  add(
    {
      op: 'dense',
      input: nodes.length,
      units,
      ...multipliers(units),
      requantise: random(0, 1) ? null : randomRequantise(random),
    },
    {
      channels: units,
      height: 1,
      width: 1,
    },
    [units, channels * height * width],
  )
  const first = shapes[0] as Shape
  try {
    return makeModel({ input: { ...first, zeroPoint: random(-128, 127) }, nodes }, parameters)
  } catch (error) {
    // A random scale may let an accumulator leave the field; that such models are refused is tested elsewhere.
    assert.ok(['bad_model', 'bad_architecture'].includes((error as Error & { code: string }).code))
    return undefined
  }
}

test('random circuits: outputs agree with the integers, proofs verify, neighbours of the output are refused', () => {
  const work = createWorkspace()
  let proved = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      const model = randomModel(seed)
      fc.pre(model !== undefined)
      if (model === undefined) return
      const { architecture } = model.plan
      assert.deepEqual(decodeArchitecture(encodeArchitecture(architecture)), architecture)
      const mark = work.arena.mark()
      const committed = commitModel(work, model)
      const { channels, height, width } = architecture.input
      const input = randomInput(seed, channels * height * width)
      const { output, proof } = proveInference(committed, input)
      assert.deepEqual(output, runOverIntegers(architecture, model.parameters, input))
      const statement = { weightsRoot: committed.commitment.root, input, output }
      assert.ok(verifyProof(architecture, statement, proof).soundness.bits >= 100)
      const at = seed % output.length
      const other = output.with(at, (output[at] as number) + ((output[at] as number) > 0 ? -1 : 1))
      assert.throws(() => verifyProof(architecture, { ...statement, output: other }, proof), {
        code: 'invalid_proof',
      })
      work.arena.release(mark)
      proved++
    }),
    { numRuns: CIRCUITS },
  )
  assert.ok(proved >= CIRCUITS)
})

test('every circuit size keeps at least 100 bits', () => {
  const requantise = { multiplier: 1, shift: 12, zeroPoint: 0, low: -128, high: 127, reach: 17 }
  for (const width of [1, 17, 1000, 4096, 20_000]) {
    for (const depth of [1, 8, 64]) {
      if (width * width > 2 ** 26 && depth > 0 && width > 8192) continue
      const nodes = Array.from({ length: depth }, (_, input) => {
        return { op: 'dense', input, units: width, requantise } as const
      })
      const architecture: Architecture = {
        input: { channels: width, height: 1, width: 1, zeroPoint: 0 },
        nodes,
      }
      const { bits, terms } = soundnessOf(planCircuit(architecture))
      assert.ok(bits >= 100, `${width} × ${depth}: ${bits}`)
      assert.ok(terms.every((term) => term.bits >= bits))
    }
  }
})
