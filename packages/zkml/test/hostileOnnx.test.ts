/** Hostile and hopeless ONNX files: each is refused with its code, names the node at fault, and never takes anything along. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { ZkmlError } from '../src/errors.ts'
import { randomIntegers } from './support/models.ts'
import {
  bytesField,
  floatAttribute,
  inputFile,
  intAttribute,
  intField,
  intsAttribute,
  type ModelFile,
  message,
  type NodeFile,
  nodeFile,
  onnxFile,
  type TensorFile,
  tensorFile,
  textField,
} from './support/onnxFile.ts'

const LAYER: NodeFile = { op: 'Gemm', name: 'layer', inputs: ['x', 'w'], outputs: ['y'] }
const WEIGHTS: TensorFile = { name: 'w', dims: [2, 2], data: [1, 2, 3, 4] }
const SAMPLES = [
  [1, 2],
  [-1, 0.5],
]
const IMAGE = { inputs: [inputFile('x', ['batch', 2, 4, 4])] }
const KERNEL: TensorFile = { name: 'w', dims: [2, 2, 3, 3], data: new Array<number>(36).fill(0.1) }
const conv = (attributes: NodeFile['attributes'] = [], tensor: TensorFile = KERNEL): ModelFile => ({
  ...IMAGE,
  nodes: [{ op: 'Conv', name: 'layer', inputs: ['x', 'w'], outputs: ['y'], attributes }],
  tensors: [tensor],
})
const weights = (change: Partial<TensorFile>): ModelFile => ({
  nodes: [LAYER],
  tensors: [{ ...WEIGHTS, ...change }],
})

test('the model that all of these change compiles', () => {
  const { compiled } = compileOnnx(onnxFile({ nodes: [LAYER], tensors: [WEIGHTS] }), SAMPLES)
  assert.equal(compiled.model.plan.nodes.length, 1)
})

const BAD_ONNX: [string, ModelFile | Uint8Array, RegExp][] = [
  ['nothing', new Uint8Array(0), /no graph/],
  ['text', new TextEncoder().encode('this is no model at all, but it is long enough'), /./],
  ['a length past the end', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0x7f), /no protobuf message/],
  ['an endless varint', new Uint8Array(64).fill(0xff), /no protobuf message/],
  ['an operator set of the future', { nodes: [LAYER], tensors: [WEIGHTS], opset: 99 }, /operator set/],
  ['an integer past 2^53', weights({ dims: [2n ** 60n, 2] }), /too large/],
  ['dimensions of 2^52 numbers', weights({ dims: [2 ** 26, 2 ** 26] }), /more than/],
  ['a negative side', weights({ dims: [-2, -2] }), /negative/],
  ['nine dimensions', weights({ dims: [1, 1, 1, 1, 1, 1, 1, 2, 2] }), /too long|too many/],
  ['fewer numbers than the shape says', weights({ data: [1, 2, 3] }), /as many numbers/],
  ['half a number', weights({ raw: new Uint8Array(15) }), /as many numbers/],
  ['a weight that is not a number', weights({ data: [1, Number.NaN, 3, 4] }), /not finite/],
  ['an infinite weight', weights({ data: [1, 2, 3, Number.NEGATIVE_INFINITY] }), /not finite/],
  ['float16 weights', weights({ type: 10, raw: new Uint8Array(8) }), /type that is not read/],
  ['string weights', weights({ type: 8 }), /type that is not read/],
  ['a type that does not exist', weights({ type: 77 }), /type that is not read/],
  ['weights in another file', weights({ extra: (writer) => intField(writer, 14, 1) }), /another file/],
  [
    'two initializers of one name',
    { nodes: [LAYER], tensors: [WEIGHTS, WEIGHTS] },
    /two initializers have one name/,
  ],
  [
    'sparse weights',
    { nodes: [LAYER], tensors: [WEIGHTS], graphExtra: (writer) => bytesField(writer, 15, new Uint8Array(0)) },
    /sparse/,
  ],
  [
    'functions of its own',
    { nodes: [LAYER], tensors: [WEIGHTS], modelExtra: (writer) => bytesField(writer, 25, new Uint8Array(0)) },
    /functions/,
  ],
  [
    'a subgraph',
    {
      nodes: [{ ...LAYER, attributes: [{ name: 'body', fill: (w) => bytesField(w, 6, new Uint8Array(0)) }] }],
      tensors: [WEIGHTS],
    },
    /subgraphs/,
  ],
  ['a name of a megabyte', { nodes: [{ ...LAYER, name: 'n'.repeat(2 ** 20) }] }, /a name has more/],
  [
    'a name that is not UTF-8',
    { nodes: [message((writer) => bytesField(writer, 3, Uint8Array.of(0xff, 0xfe)))] },
    /not UTF-8/,
  ],
  [
    'a field of another wire type',
    { nodes: [message((writer) => intField(writer, 1, 7))] },
    /wrong wire type/,
  ],
  [
    'an attribute that is not a number',
    { nodes: [{ ...LAYER, attributes: [floatAttribute('alpha', Number.NaN)] }], tensors: [WEIGHTS] },
    /not a number/,
  ],
  ['a node that reads itself', { nodes: [{ op: 'Add', inputs: ['x', 'y'], outputs: ['y'] }] }, /cycle/],
  [
    'a cycle of three nodes',
    {
      nodes: [
        { op: 'Add', inputs: ['x', 'c'], outputs: ['a'] },
        { op: 'Relu', inputs: ['a'], outputs: ['b'] },
        { op: 'Relu', inputs: ['b'], outputs: ['c'] },
        { op: 'Relu', inputs: ['c'], outputs: ['y'] },
      ],
    },
    /cycle/,
  ],
  [
    'two nodes that make one tensor',
    { nodes: [LAYER, { ...LAYER, name: 'again' }], tensors: [WEIGHTS] },
    /two nodes make one tensor/,
  ],
  ['an output that nothing makes', { nodes: [LAYER], tensors: [WEIGHTS], outputs: ['z'] }, /no node makes/],
  [
    'an output that does not depend on the input',
    { nodes: [{ op: 'Identity', inputs: ['w'], outputs: ['y'] }], tensors: [WEIGHTS] },
    /does not depend/,
  ],
  [
    'more nodes than the bound',
    {
      nodes: Array.from({ length: 4097 }, (_, at) =>
        nodeFile({ op: 'Relu', inputs: [at === 0 ? 'x' : `t${at}`], outputs: [`t${at + 1}`] }),
      ),
      outputs: ['t4097'],
    },
    /more than 4096 nodes/,
  ],
  [
    'more inputs of a node than the bound',
    { nodes: [{ op: 'Sum', inputs: new Array<string>(65).fill('x'), outputs: ['y'] }] },
    /too many inputs/,
  ],
]

const CANNOT_COMPILE: [string, ModelFile, RegExp][] = [
  [
    'an unknown operator',
    { nodes: [{ ...LAYER, op: 'Einsum' }], tensors: [WEIGHTS] },
    /node layer \(Einsum\)/,
  ],
  [
    'an operator of another domain',
    { nodes: [{ ...LAYER, domain: 'com.example' }], tensors: [WEIGHTS] },
    /node layer \(Gemm\)/,
  ],
  [
    'an operator named like a property of objects',
    { nodes: [{ ...LAYER, op: 'constructor' }] },
    /constructor/,
  ],
  ['a node without inputs', { nodes: [{ ...LAYER, inputs: [] }] }, /node layer \(Gemm\) lacks an input/],
  ['a tensor that nothing makes', { nodes: [LAYER] }, /lacks an input/],
  ['weights that do not fit', weights({ dims: [4, 1] }), /node layer \(Gemm\) multiplies matrices/],
  ['weights without columns', weights({ dims: [2, 0], data: [] }), /./],
  ['weights that are computed', { nodes: [{ ...LAYER, inputs: ['x', 'x'] }] }, /needs a constant/],
  [
    'a bias of another size',
    {
      nodes: [{ ...LAYER, inputs: ['x', 'w', 'b'] }],
      tensors: [WEIGHTS, { name: 'b', dims: [3], data: [1, 2, 3] }],
    },
    /bias of another size/,
  ],
  [
    'an attribute of another type',
    { nodes: [{ ...LAYER, attributes: [intsAttribute('transA', [1])] }], tensors: [WEIGHTS] },
    /attribute transA of another type/,
  ],
  [
    'a batch of two',
    { nodes: [LAYER], tensors: [WEIGHTS], inputs: [inputFile('x', [2, 2])] },
    /batch of one|shape/,
  ],
  [
    'an open side',
    { nodes: [LAYER], tensors: [WEIGHTS], inputs: [inputFile('x', ['batch', 'features'])] },
    /leaves a side open/,
  ],
  [
    'an input of integers',
    { nodes: [LAYER], tensors: [WEIGHTS], inputs: [inputFile('x', [1, 2], 7)] },
    /float32/,
  ],
  [
    'an input without a shape',
    { nodes: [LAYER], tensors: [WEIGHTS], inputs: [inputFile('x', [])] },
    /no shape/,
  ],
  [
    'two inputs',
    { nodes: [LAYER], tensors: [WEIGHTS], inputs: [inputFile('x', [1, 2]), inputFile('z', [1, 2])] },
    /2 inputs/,
  ],
  ['two outputs', { nodes: [LAYER], tensors: [WEIGHTS], outputs: ['y', 'x'] }, /2 outputs/],
  ['a stride of zero', conv([intsAttribute('strides', [0, 0])]), /node layer \(Conv\)/],
  ['a negative pad', conv([intsAttribute('pads', [-1, 0, 0, 0])]), /node layer \(Conv\) has pads/],
  ['pads of a million', conv([intsAttribute('pads', [1_000_000, 0, 0, 0])]), /node layer \(Conv\)/],
  [
    'a window dilated to 4,097 values a side',
    {
      ...conv([intsAttribute('dilations', [1, 2048])], { ...KERNEL, dims: [2, 2, 3, 3] }),
      inputs: [inputFile('x', [1, 2, 4, 500_000])],
    },
    /node layer \(Conv\) has a window with a side of more than 16/,
  ],
  [
    'constants spread out again and again',
    {
      nodes: [
        ...Array.from({ length: 300 }, (_, at): NodeFile => {
          return { op: 'Mul', inputs: [at === 0 ? 'x' : `t${at}`, 'w'], outputs: [`t${at + 1}`] }
        }),
        { op: 'Relu', inputs: ['t300'], outputs: ['y'] },
      ],
      tensors: [{ name: 'w', dims: [2, 1], data: [1, 2] }],
      inputs: [inputFile('x', [1, 2, 2 ** 17])],
    },
    /written as much as it may/,
  ],
  [
    'more layers than the circuit has nodes',
    {
      nodes: [
        ...Array.from({ length: 300 }, (_, at): NodeFile => {
          return { ...LAYER, inputs: [at === 0 ? 'x' : `t${at}`, 'w'], outputs: [`t${at + 1}`] }
        }),
        { op: 'Relu', inputs: ['t300'], outputs: ['y'] },
      ],
      tensors: [WEIGHTS],
    },
    /more than 256 nodes/,
  ],
  ['a window larger than the image', conv([intsAttribute('dilations', [3, 3])]), /window larger/],
  ['groups that do not divide', conv([intAttribute('group', 3)]), /do not fit/],
  ['no groups', conv([intAttribute('group', 0)]), /do not fit/],
  ['weights of another rank', conv([], { ...KERNEL, dims: [4, 9] }), /do not fit/],
  [
    'an image of 10^9 values',
    { ...conv(), inputs: [inputFile('x', [1, 2, 32_768, 32_768])] },
    /node x \(input\) makes a tensor of more than/,
  ],
  [
    'a product of computed tensors of other sizes',
    {
      nodes: [
        { ...LAYER, outputs: ['h'] },
        { op: 'Mul', name: 'gate', inputs: ['x', 'h'], outputs: ['y'] },
      ],
      tensors: [{ name: 'w', dims: [2, 3], data: [1, 2, 3, 4, 5, 6] }],
    },
    /node gate \(Mul\) multiplies tensors of different shapes/,
  ],
  [
    'a division by zero',
    {
      nodes: [{ op: 'Div', name: 'ratio', inputs: ['x', 'z'], outputs: ['y'] }],
      tensors: [{ name: 'z', dims: [1], data: [0] }],
    },
    /node ratio \(Div\) divides by zero/,
  ],
  [
    'a constant that does not broadcast',
    {
      nodes: [{ op: 'Add', name: 'shift', inputs: ['x', 'z'], outputs: ['y'] }],
      tensors: [{ name: 'z', dims: [3], data: [0, 1, 2] }],
    },
    /does not fit its tensor/,
  ],
  [
    'a reshape to another size',
    {
      nodes: [{ op: 'Reshape', name: 'form', inputs: ['x', 's'], outputs: ['y'] }],
      tensors: [
        tensorFile({ name: 's', dims: [2], type: 7, raw: new Uint8Array(BigInt64Array.of(-1n, 7n).buffer) }),
      ],
    },
    /node form \(Reshape\)/,
  ],
  [
    'a Softmax inside',
    {
      nodes: [
        { op: 'Softmax', name: 'gate', inputs: ['x'], outputs: ['h'] },
        { ...LAYER, inputs: ['h', 'w'] },
      ],
      tensors: [WEIGHTS],
    },
    /node gate \(Softmax\)/,
  ],
  [
    'a function that is not defined on its input',
    {
      nodes: [
        { ...LAYER, inputs: ['x', 'n'], outputs: ['h'] },
        { op: 'Pow', name: 'root', inputs: ['h', 'p'], outputs: ['r'] },
        { ...LAYER, inputs: ['r', 'w'] },
      ],
      tensors: [
        WEIGHTS,
        { ...WEIGHTS, name: 'n', data: [-1, -2, -3, -4] },
        { name: 'p', dims: [], data: [0.5] },
      ],
    },
    /node root gives a value that is not finite/,
  ],
]

for (const [code, table] of [
  ['bad_onnx', BAD_ONNX],
  ['cannot_compile', CANNOT_COMPILE],
] as const) {
  for (const [name, file, message] of table) {
    test(`${name}: refused as ${code}`, () => {
      const bytes = file instanceof Uint8Array ? file : onnxFile(file)
      assert.throws(
        () => compileOnnx(bytes, SAMPLES),
        (error) => {
          assert.ok(error instanceof ZkmlError, String((error as Error).stack))
          assert.ok(error.code === code || message.source === '.', error.message)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }
}

test('a chain of four thousand nodes does not use up the stack', () => {
  const nodes = Array.from({ length: 4000 }, (_, at): NodeFile => {
    return { op: 'Identity', inputs: [at === 0 ? 'x' : `t${at}`], outputs: [`t${at + 1}`] }
  })
  const file = onnxFile({ nodes: [...nodes, { ...LAYER, inputs: ['t4000', 'w'] }], tensors: [WEIGHTS] })
  assert.equal(compileOnnx(file, SAMPLES).compiled.model.plan.nodes.length, 1)
})

const REAL = (
  JSON.parse(readFileSync(new URL('../vectors/onnx.json', import.meta.url), 'utf8')) as {
    vectors: { onnx: string; inputs: number[][] }[]
  }
).vectors

/** Refused on purpose, or compiled: never another error. */
function compileOrRefuse(bytes: Uint8Array, inputs: number[][]): void {
  try {
    compileOnnx(bytes, inputs.slice(0, 2))
  } catch (error) {
    assert.ok(error instanceof ZkmlError, String((error as Error).stack))
  }
}

test('a real file cut anywhere is refused, or means the same model without its end', () => {
  for (const { onnx, inputs } of REAL.slice(0, 6)) {
    const bytes = Buffer.from(onnx, 'base64')
    for (let cut = 0; cut < 40; cut++)
      compileOrRefuse(bytes.subarray(0, Math.floor((cut * bytes.length) / 40)), inputs)
  }
})

test('a real file with a byte changed is refused or compiled, never worse', () => {
  const random = randomIntegers(17)
  for (const { onnx, inputs } of REAL) {
    for (let run = 0; run < 25; run++) {
      const bytes = Uint8Array.from(Buffer.from(onnx, 'base64'))
      const at = random(0, bytes.length - 1)
      bytes[at] = random(0, 255)
      compileOrRefuse(bytes, inputs)
    }
  }
})

for (const [name, samples] of [
  ['no samples', []],
  ['a sample of another size', [[1, 2, 3]]],
  ['a sample that is not a number', [[1, Number.NaN]]],
] as const) {
  test(`calibration on ${name} is refused`, () => {
    assert.throws(() => compileOnnx(onnxFile({ nodes: [LAYER], tensors: [WEIGHTS] }), samples), {
      code: 'bad_data',
    })
  })
}

test('a name with a line feed stays within its line', () => {
  const file = onnxFile({
    nodes: [message((writer) => textField(textField(textField(writer, 2, 'y'), 3, 'a\nb'), 4, 'Einsum'))],
  })
  assert.throws(() => compileOnnx(file, SAMPLES), { shortMessage: /node a\\nb \(Einsum\)/ })
})
