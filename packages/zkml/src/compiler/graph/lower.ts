/** From an ONNX model to the float graph: one function an operator, in the order in which the model lists its nodes. */

import type { OutputActivation } from '../../circuit/encoding.ts'
import { ZkmlError } from '../../errors.ts'
import type { OnnxInput, OnnxModel, OnnxNode } from '../onnx/onnxModel.ts'
import { badOnnx } from '../onnx/readMessage.ts'
import { FLOAT } from '../onnx/readTensor.ts'
import { copyLayer } from './copyLayer.ts'
import type { FloatGraph } from './floatGraph.ts'
import { type Activation, checkSize, Lowering, shapeOf, type Value } from './lowering.ts'
import { cannot } from './nodeParts.ts'
import * as bends from './operators/bends.ts'
import * as elementwise from './operators/elementwise.ts'
import * as functions from './operators/functions.ts'
import * as normalise from './operators/normalise.ts'
import * as pools from './operators/pools.ts'
import * as quantised from './operators/quantised.ts'
import * as views from './operators/views.ts'
import * as weighted from './operators/weighted.ts'

/** Maps, not objects: an operator may be called anything. */
const OPERATORS = new Map<string, (lowering: Lowering, node: OnnxNode) => Value>(
  Object.entries({
    Add: elementwise.lowerAdd,
    AveragePool: pools.lowerPool,
    BatchNormalization: elementwise.lowerBatchNormalization,
    Cast: views.lowerCast,
    Clip: bends.lowerClip,
    Concat: views.lowerConcat,
    Constant: views.lowerConstant,
    Conv: weighted.lowerConv,
    DequantizeLinear: quantised.lowerDequantize,
    Div: elementwise.lowerMul,
    Dropout: views.lowerIdentity,
    Flatten: views.lowerFlatten,
    Gather: views.lowerGather,
    Gemm: weighted.lowerGemm,
    GlobalAveragePool: pools.lowerGlobalPool,
    GlobalMaxPool: pools.lowerGlobalPool,
    Identity: views.lowerIdentity,
    LayerNormalization: normalise.lowerLayerNormalization,
    LeakyRelu: bends.lowerLeakyRelu,
    MatMul: weighted.lowerMatMul,
    MaxPool: pools.lowerPool,
    Mul: elementwise.lowerMul,
    Neg: elementwise.lowerNeg,
    PRelu: bends.lowerLeakyRelu,
    Pad: pools.lowerPad,
    QuantizeLinear: quantised.lowerQuantize,
    ReduceMean: pools.lowerReduceMean,
    Relu: bends.lowerRelu,
    Reshape: views.lowerReshape,
    Shape: views.lowerShape,
    Softmax: normalise.lowerSoftmax,
    Squeeze: views.lowerSqueeze,
    Sub: elementwise.lowerAdd,
    Transpose: views.lowerTranspose,
    Pow: functions.lowerPow,
    Unsqueeze: views.lowerUnsqueeze,
    ...Object.fromEntries(functions.FUNCTION_NAMES.map((name) => [name, functions.lowerFunction])),
  }),
)

/** Functions that may stand at the very end: they are left to the reader of the proven output. */
const OUTPUT_ACTIVATIONS = new Map<string, OutputActivation>([
  ['LogSoftmax', 'logSoftmax'],
  ['Sigmoid', 'sigmoid'],
  ['Softmax', 'softmax'],
])

/** What to do about operators that are asked for most. */
const ADVICE = new Map(
  Object.entries({
    ArgMax: 'compile up to the scores (--output NAME) and take the largest of them yourself',
    LSTM: 'unrolled recurrences have gates, which the circuit lacks; use convolutions or dense layers',
    GRU: 'unrolled recurrences have gates, which the circuit lacks; use convolutions or dense layers',
    QLinearConv: 'quantise in the QDQ format instead of QOperator',
    QLinearMatMul: 'quantise in the QDQ format instead of QOperator',
  }),
)

/**
 * @param output name of the tensor to stop at; default the model's only output
 * @throws ZkmlError bad_onnx or cannot_compile
 */
export function lowerModel(model: OnnxModel, output?: string): FloatGraph {
  const input = onlyInput(model)
  const wanted = wantedOutput(model, output)
  const nodes = orderedNodes(model, wanted)
  const last = nodes.at(-1)
  const outputActivation = (last?.domain === '' ? OUTPUT_ACTIVATIONS.get(last.op) : undefined) ?? 'none'
  const lowering = startLowering(model, input)
  for (const node of outputActivation === 'none' ? nodes : nodes.slice(0, -1)) lowerNode(lowering, node)
  const outputName = outputActivation === 'none' ? wanted : (last?.inputs[0] ?? wanted)
  const result = lowering.values.get(outputName)
  if (result === undefined || result.kind === 'constant')
    return badOnnx('the output does not depend on the input', { output: wanted })
  endAt(lowering, outputName, result)
  return {
    input: { ...lowering.input, range: lowering.inputRange },
    nodes: lowering.nodes,
    outputName,
    outputActivation,
  }
}

function startLowering(model: OnnxModel, input: OnnxInput): Lowering {
  const node = { name: input.name, op: 'input', domain: '', inputs: [], outputs: [], attributes: new Map() }
  const dims = input.dims.map((side, at) => {
    if (side !== null) return side
    if (at === 0) return 1
    return cannot(
      node,
      'leaves a side open',
      { axis: at },
      'export the model with fixed sides; only the batch may be open',
    )
  })
  if (dims.length === 0) cannot(node, 'has no shape', {}, 'export the model with the shape of its input')
  if (input.elementType !== FLOAT)
    cannot(
      node,
      'is not float32',
      { elementType: input.elementType },
      'the compiler quantises the input itself',
    )
  const shape = shapeOf(node, dims)
  checkSize(node, shape)
  const lowering = new Lowering(model, {
    name: input.name,
    shape,
    order: null,
    factor: new Float64Array([1]),
    offset: new Float64Array([0]),
  })
  lowering.values.set(input.name, { kind: 'activation', tensor: 0, dims, order: null })
  for (const [name, tensor] of model.initializers) lowering.values.set(name, { kind: 'constant', ...tensor })
  return lowering
}

function lowerNode(lowering: Lowering, node: OnnxNode): void {
  const lower = node.domain === '' ? OPERATORS.get(node.op) : undefined
  if (lower === undefined)
    cannot(
      node,
      'has an operator that the circuit does not have',
      node.domain === '' ? {} : { domain: node.domain },
      ADVICE.get(node.op) ?? `operators: ${[...OPERATORS.keys()].join(', ')}`,
    )
  const value = lower(lowering, node)
  lowering.values.set(node.outputs[0] as string, value)
}

function onlyInput({ inputs }: OnnxModel): OnnxInput {
  const [input] = inputs
  if (input === undefined || inputs.length !== 1)
    throw new ZkmlError(
      'cannot_compile',
      `the model has ${inputs.length} inputs; the circuit has one`,
      { inputs: inputs.map(({ name }) => name).join(', ') },
      'export a model of one input tensor',
    )
  return input
}

function wantedOutput({ outputs }: OnnxModel, output: string | undefined): string {
  if (output !== undefined) return output
  if (outputs.length === 1) return outputs[0] as string
  throw new ZkmlError(
    'cannot_compile',
    `the model has ${outputs.length} outputs; the circuit has one`,
    { outputs: outputs.join(', ') },
    'name the one to prove: --output NAME',
  )
}

/** The nodes that the output needs, each after those it reads. @throws ZkmlError bad_onnx for cycles and double names */
function orderedNodes({ nodes, initializers, inputs }: OnnxModel, output: string): OnnxNode[] {
  const makers = new Map<string, OnnxNode>()
  for (const node of nodes)
    for (const name of node.outputs.filter((name) => name !== '')) {
      if (makers.has(name) || initializers.has(name) || inputs.some((input) => input.name === name))
        badOnnx('two nodes make one tensor', { tensor: name })
      makers.set(name, node)
    }
  if (!makers.has(output)) badOnnx('no node makes the output', { output })
  const ordered: OnnxNode[] = []
  const state = new Map<OnnxNode, 'open' | 'done'>()
  // A stack of its own: a chain of thousands of nodes must not use up the language's.
  const stack: OnnxNode[] = [makers.get(output) as OnnxNode]
  while (stack.length > 0) {
    const node = stack.at(-1) as OnnxNode
    if (state.get(node) === undefined) {
      state.set(node, 'open')
      for (const name of node.inputs) {
        const maker = makers.get(name)
        if (maker === undefined || state.get(maker) === 'done') continue
        if (state.get(maker) === 'open') badOnnx('the graph has a cycle', { node: maker.name })
        stack.push(maker)
      }
    } else {
      stack.pop()
      if (state.get(node) === 'open') ordered.push(node)
      state.set(node, 'done')
    }
  }
  return ordered
}

/** The output must be the last node's, in its own order: where it is not, a layer that copies its values is put behind. */
function endAt(lowering: Lowering, name: string, value: Activation): void {
  const node = { name, op: 'output', domain: '', inputs: [], outputs: [], attributes: new Map() }
  const settled = lowering.read(node, value)
  if (settled.tensor === lowering.nodes.length && settled.order === null) return
  lowering.nodes.push(copyLayer(name, settled.tensor, lowering.shapeOf(settled.tensor), settled.order))
}
