import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import type { Padding, Window } from '../src/circuit/architecture.ts'
import { type ArchitectureDraft, makeModel } from '../src/circuit/model.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { RELU, randomInput, randomParameters } from './support/models.ts'

type Sides = Parameters<typeof randomParameters>[1]

const work = createWorkspace()
const square = (side: number, stride: number): Window => ({
  height: side,
  width: side,
  strideY: stride,
  strideX: stride,
})
const around = (by: number): Padding => ({ top: by, left: by, bottom: by, right: by })
const SIGNED = { multiplier: 21, shift: 12, zeroPoint: -7, low: -128, high: 127 }

/** Proves two inputs of a circuit and holds output and proof to the integers. */
function holds(name: string, draft: ArchitectureDraft, sides: Sides): void {
  test(name, () => {
    const model = makeModel(draft, randomParameters(11, sides))
    const { architecture } = model.plan
    const mark = work.arena.mark()
    const committed = commitModel(work, model)
    const { channels, height, width } = architecture.input
    for (const seed of [1, 2]) {
      const input = randomInput(seed, channels * height * width)
      const { output, proof } = proveInference(committed, input)
      assert.deepEqual(output, runOverIntegers(architecture, model.parameters, input))
      const statement = { weightsRoot: committed.commitment.root, input, output }
      assert.ok(verifyProof(architecture, statement, proof).soundness.bits >= 100)
      const wrong = {
        ...statement,
        output: output.with(0, (output[0] as number) + (output[0] === 127 ? -1 : 1)),
      }
      assert.throws(() => verifyProof(architecture, wrong, proof), { code: 'invalid_proof' })
    }
    work.arena.release(mark)
  })
}

holds(
  'a dense layer that requantises its output',
  {
    input: { channels: 5, height: 1, width: 1, zeroPoint: -3 },
    nodes: [{ op: 'dense', input: 0, units: 3, requantise: SIGNED }],
  },
  [[3, 5]],
)

holds(
  'an output wider than everything that is looked up, and an input wider still',
  {
    input: { channels: 700, height: 2, width: 3, zeroPoint: -3 },
    nodes: [
      { op: 'dense', input: 0, units: 2, requantise: { ...SIGNED, multiplier: 1, shift: 9 } },
      { op: 'dense', input: 1, units: 20_000, requantise: null },
    ],
  },
  [
    [2, 4200],
    [20_000, 2],
  ],
)

for (const [name, window, padding] of [
  ['3 × 3 with a border', square(3, 1), around(1)],
  ['3 × 3, stride 2, a border on two sides', square(3, 2), { top: 0, left: 1, bottom: 1, right: 0 }],
  ['1 × 1', square(1, 1), around(0)],
  ['2 × 5, strides 1 and 3', { height: 2, width: 5, strideY: 1, strideX: 3 }, around(0)],
] as const) {
  holds(
    `a convolution ${name}`,
    {
      input: { channels: 3, height: 6, width: 9, zeroPoint: 5 },
      nodes: [
        { op: 'conv2d', input: 0, channels: 5, window, padding, requantise: RELU },
        { op: 'dense', input: 1, units: 3, requantise: null },
      ],
    },
    [
      [5, 3 * window.height * window.width],
      [
        3,
        5 *
          (Math.floor((6 + padding.top + padding.bottom - window.height) / window.strideY) + 1) *
          (Math.floor((9 + padding.left + padding.right - window.width) / window.strideX) + 1),
      ],
    ],
  )
}

holds(
  'two convolutions in a row, of padded channels and sides',
  {
    input: { channels: 1, height: 7, width: 5, zeroPoint: -128 },
    nodes: [
      { op: 'conv2d', input: 0, channels: 3, window: square(3, 1), padding: around(1), requantise: RELU },
      { op: 'conv2d', input: 1, channels: 6, window: square(3, 2), padding: around(1), requantise: RELU },
      { op: 'dense', input: 2, units: 4, requantise: SIGNED },
    ],
  },
  [
    [3, 9],
    [6, 27],
    [4, 6 * 4 * 3],
  ],
)

for (const window of [square(2, 2), square(3, 2), { height: 1, width: 3, strideY: 2, strideX: 1 }]) {
  const [rows, columns] = [
    Math.floor((7 - window.height) / window.strideY) + 1,
    Math.floor((6 - window.width) / window.strideX) + 1,
  ]
  const shape = `${window.height} × ${window.width}, strides ${window.strideY} and ${window.strideX}`
  for (const pool of ['maxPool', 'sumPool'] as const) {
    holds(
      `${pool} ${shape}`,
      {
        input: { channels: 3, height: 7, width: 6, zeroPoint: 9 },
        nodes: [
          pool === 'maxPool'
            ? { op: pool, input: 0, window }
            : { op: pool, input: 0, window, requantise: { ...SIGNED, multiplier: 1024 } },
          { op: 'dense', input: 1, units: 2, requantise: null },
        ],
      },
      [null, [2, 3 * rows * columns]],
    )
  }
}

holds(
  'a global average, and a product by a constant',
  {
    input: { channels: 4, height: 5, width: 5, zeroPoint: 0 },
    nodes: [
      {
        op: 'sumPool',
        input: 0,
        window: square(5, 1),
        requantise: { ...SIGNED, multiplier: 164, shift: 12 },
      },
      {
        op: 'combine',
        terms: [{ input: 1, multiplier: -3 }],
        requantise: { ...SIGNED, multiplier: 1, shift: 0 },
      },
      { op: 'dense', input: 2, units: 2, requantise: null },
    ],
  },
  [null, null, [2, 4]],
)

holds(
  'a residual block that adds the public input to a convolution of it',
  {
    input: { channels: 2, height: 4, width: 3, zeroPoint: 1 },
    nodes: [
      { op: 'conv2d', input: 0, channels: 2, window: square(3, 1), padding: around(1), requantise: SIGNED },
      {
        op: 'combine',
        terms: [
          { input: 0, multiplier: 700 },
          { input: 1, multiplier: 1100 },
        ],
        requantise: { multiplier: 1, shift: 10, zeroPoint: -20, low: -20, high: 127 },
      },
      { op: 'dense', input: 2, units: 3, requantise: SIGNED },
    ],
  },
  [[2, 18], null, [3, 24]],
)

for (const [name, channels, made, groups, side] of [
  ['of one channel each, three of them', 3, 3, 3, 3],
  ['of one channel each, giving two', 5, 10, 5, 3],
  ['of four channels, giving two', 8, 4, 2, 2],
  ['of two channels, giving one, 1 × 1', 12, 6, 6, 1],
] as const) {
  holds(
    `a convolution in groups ${name}, with a multiplier a channel`,
    {
      input: { channels, height: 5, width: 4, zeroPoint: 5 },
      nodes: [
        {
          op: 'conv2d',
          input: 0,
          channels: made,
          window: square(side, 1),
          padding: around(1),
          groups,
          multipliers: Array.from({ length: made }, (_, unit) => 20 + 7 * unit),
          requantise: { ...SIGNED, multiplier: 1, shift: 13 },
        },
        { op: 'dense', input: 1, units: 3, multipliers: [1, 5, 2], requantise: null },
      ],
    },
    [
      [made, (channels / groups) * side * side],
      [3, made * (5 + 3 - side) * (4 + 3 - side)],
    ],
  )
}

holds(
  'a dense layer with a multiplier a unit',
  {
    input: { channels: 21, height: 1, width: 1, zeroPoint: -3 },
    nodes: [
      {
        op: 'dense',
        input: 0,
        units: 5,
        multipliers: [1, 40, 3, 17, 29],
        requantise: { ...SIGNED, multiplier: 1, shift: 13 },
      },
      { op: 'dense', input: 1, units: 2, requantise: SIGNED },
    ],
  },
  [
    [5, 21],
    [2, 5],
  ],
)

const SIGMOID = Array.from(
  { length: 256 },
  (_, at) => Math.round(255 / (1 + Math.exp((128 - at) / 16))) - 128,
)
const PARABOLA = Array.from({ length: 256 }, (_, at) => Math.round((at - 128) ** 2 / 128) - 10)

holds(
  'maps: one of the input, one read twice, two of one function',
  {
    input: { channels: 3, height: 4, width: 5, zeroPoint: 9 },
    nodes: [
      { op: 'map', input: 0, zeroPoint: -128, values: SIGMOID },
      {
        op: 'conv2d',
        input: 1,
        channels: 2,
        window: square(3, 1),
        padding: around(1),
        requantise: { ...SIGNED, multiplier: 1, shift: 10 },
      },
      { op: 'map', input: 2, zeroPoint: -10, values: PARABOLA.map((x) => Math.min(x, 117)) },
      { op: 'map', input: 3, zeroPoint: 3, values: SIGMOID },
      {
        op: 'combine',
        terms: [
          { input: 3, multiplier: 3 },
          { input: 4, multiplier: -2 },
        ],
        requantise: { ...SIGNED, multiplier: 1, shift: 2 },
      },
      { op: 'dense', input: 5, units: 3, requantise: null },
    ],
  },
  [null, [2, 27], null, null, null, [3, 40]],
)

holds(
  'a map of the input straight into the output layer',
  {
    input: { channels: 5, height: 1, width: 1, zeroPoint: 0 },
    nodes: [
      { op: 'map', input: 0, zeroPoint: 0, values: SIGMOID },
      { op: 'dense', input: 1, units: 2, requantise: null },
    ],
  },
  [null, [2, 5]],
)
