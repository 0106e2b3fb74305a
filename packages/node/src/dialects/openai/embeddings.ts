import type { EmbeddingWork } from '../../engines/engine.ts'
import { type AnswerHead, type AnswerWriter, type Dialect, readRequest } from '../dialect.ts'
import { integerAt, knownMembers, optional } from '../fields.ts'
import { nativeDraft } from '../native.ts'
import { refuse } from '../refusal.ts'
import { textsAt } from './completions.ts'

const HONOURED = ['model', 'input', 'encoding_format', 'dimensions']
const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  stream: (value) => value === false,
  user: (value) => typeof value === 'string' && value.length <= 256,
}

/** OpenAI's `POST /v1/embeddings`. */
export const openaiEmbeddings: Dialect = {
  route: 'embeddings',
  idPrefix: 'embd-',
  read: (body, headers, model) =>
    readRequest('embeddings', body, model, (fields, intent, needs, facts) => {
      if (intent.stream) refuse('Embeddings do not stream.', 'stream', 'unsupported_value')
      if (facts.native.has('embeddings')) return nativeDraft('embeddings', fields, intent, headers)
      needs('embeddings', 'model')
      const given = knownMembers(fields, HONOURED, NEUTRAL)
      const format = given.encoding_format ?? 'float'
      if (format !== 'float' && format !== 'base64') {
        refuse('`encoding_format` must be float or base64.', 'encoding_format')
      }
      const inputs = textsAt(given.input, 'input')
      const empty = inputs.indexOf('')
      if (empty !== -1)
        refuse('A text to embed must not be empty.', Array.isArray(given.input) ? `input[${empty}]` : 'input')
      const dimensions = optional(given, 'dimensions', (value, param) => integerAt(value, param, 1, 65_536))
      const work: EmbeddingWork = { kind: 'embedding', inputs, dimensions }
      return { work, answer: (head) => embeddingsWriter(head, format === 'base64') }
    }),
}

function embeddingsWriter(head: AnswerHead, inBase64: boolean): AnswerWriter {
  return {
    whole({ embeddings }, { inputUnits }) {
      const body = {
        object: 'list',
        data: embeddings.map((vector, index) => ({
          object: 'embedding',
          index,
          embedding: inBase64 ? base64Of(vector) : vector,
        })),
        model: head.model,
        usage: { prompt_tokens: inputUnits, total_tokens: inputUnits },
      }
      return new TextEncoder().encode(JSON.stringify(body))
    },
    stream() {
      throw new Error('unreachable: embeddings do not stream')
    },
  }
}

/** Little-endian 32-bit floats, which OpenAI's own client asks for by default. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * 4)
  return bytes.toString('base64')
}
