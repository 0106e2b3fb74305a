/** Input and output encodings as they stand in files of ours. */
import { LIMITS } from '../circuit/checkArchitecture.ts'
import {
  type InputEncoding,
  type OutputActivation,
  type OutputEncoding,
  valuesOf,
} from '../circuit/encoding.ts'
import type { Plan } from '../circuit/plan.ts'
import type { FileReader, FileWriter } from './byteFile.ts'

/** Bytes. */
export const MAX_ARCHITECTURE = 2 ** 23
const MAX_NAME = 1024
const ACTIVATIONS: readonly OutputActivation[] = ['none', 'softmax', 'sigmoid', 'logSoftmax']

export function writeEncodings(writer: FileWriter, input: InputEncoding, output: OutputEncoding): void {
  writer
    .block(new TextEncoder().encode(input.name))
    .word(input.order?.length ?? 0)
    .words(input.order ?? [])
    .word(input.factor.length)
    .doubles(input.factor.map((x) => x + 0))
    .word(input.offset.length)
    .doubles(input.offset.map((x) => x + 0))
    .doubles([input.scale])
    .block(new TextEncoder().encode(output.name))
    .doubles([output.scale])
    .word(ACTIVATIONS.indexOf(output.activation))
}

/** @throws ZkmlError bad_file */
export function readEncodings(
  reader: FileReader,
  plan: Plan,
): { input: InputEncoding; output: OutputEncoding } {
  const { zeroPoint, ...shape } = plan.architecture.input
  const values = valuesOf(shape)
  const name = () => {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(reader.block(MAX_NAME))
    } catch {
      return reader.refuse('a name is not UTF-8')
    }
  }
  const perValue = () => {
    const count = reader.word(LIMITS.tensor)
    if (count !== 1 && count !== values) reader.refuse('the input’s scales do not fit its shape')
    return reader.doubles(count)
  }
  const step = () => {
    const [scale] = reader.doubles(1)
    if (!((scale as number) > 0)) reader.refuse('a scale is not positive')
    return scale as number
  }
  const inputName = name()
  const order = readOrder(reader, values)
  const input = {
    name: inputName,
    shape,
    order,
    factor: perValue(),
    offset: perValue(),
    scale: step(),
    zeroPoint,
  }
  const output = {
    name: name(),
    scale: step(),
    zeroPoint: plan.tensors.at(-1)?.zeroPoint ?? 0,
    activation: ACTIVATIONS[reader.word(ACTIVATIONS.length - 1)] as OutputActivation,
  }
  return { input, output }
}

/** A permutation of the input's values, never the identity, or none. */
function readOrder(reader: FileReader, values: number): Int32Array | null {
  const count = reader.word(LIMITS.tensor)
  if (count === 0) return null
  const order = reader.words(count)
  const seen = new Set(order)
  const moved = order.some((from, at) => from !== at)
  if (count !== values || seen.size !== count || order.some((from) => from < 0 || from >= count) || !moved)
    reader.refuse('the input’s order is no permutation')
  return order
}
