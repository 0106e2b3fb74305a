import { AssayError, flatNumbers } from '@assay/protocol'
import type { TensorWork } from '../engines/engine.ts'
import { type Dialect, readRequest } from './dialect.ts'
import { knownMembers } from './fields.ts'
import { refuse } from './refusal.ts'

/** Our own `POST /v1/infer`: numbers in, numbers out (docs/zkml.md, "In the network"). */
export const assayInfer: Dialect = {
  route: 'infer',
  idPrefix: 'inf-',
  read: (body, _headers, model) =>
    readRequest('infer', body, model, (fields, intent, needs) => {
      if (intent.stream) refuse('Inferences do not stream.', 'stream', 'unsupported_value')
      needs('infer', 'model')
      const given = knownMembers(fields, ['model', 'input'], { stream: (value) => value === false })
      const work: TensorWork = { kind: 'tensor', values: numbersAt(given.input) }
      return {
        work,
        answer: (head) => ({
          whole({ tensor }, { inputUnits, outputUnits }) {
            const usage = { input_units: inputUnits, output_units: outputUnits }
            return new TextEncoder().encode(
              JSON.stringify({ object: 'inference', ...head, ...tensor, usage }),
            )
          },
          stream() {
            throw new Error('unreachable: inferences do not stream')
          },
        }),
      }
    }),
}

function numbersAt(value: unknown): number[] {
  try {
    return flatNumbers(value, 'input')
  } catch (error) {
    if (error instanceof AssayError) refuse(error.shortMessage, 'input', 'invalid_value')
    throw error
  }
}
