import { readInferAnswer } from '@assay/protocol'
import { type Caller, type CallParameters, callWhole, type Proof } from './call.ts'
import { malformed, readJsonAnswer } from './chatOutput.ts'
import { bodyIn } from './parameters.ts'

export type CompletionParameters = CallParameters & {
  model: string
  prompt: string
  /** Tokens. */
  max_tokens?: number | undefined
  temperature?: number | undefined
  seed?: number | undefined
  stop?: string | readonly string[] | undefined
}
export type CompletionResult = Proof & { completionOutput: string }

/** Continues a text as it stands. @throws SdkError */
export async function completion(
  caller: Caller,
  parameters: CompletionParameters,
): Promise<CompletionResult> {
  const body = bodyIn(parameters, ['model', 'prompt', 'max_tokens', 'temperature', 'seed', 'stop'])
  const { output, proof } = await callWhole(caller, '/v1/completions', body, parameters, async (response) => {
    const { choices } = (await readJsonAnswer(response)) as { choices?: { text?: unknown }[] }
    const text = choices?.[0]?.text
    if (typeof text !== 'string') throw malformed('it holds no text')
    return text
  })
  return { completionOutput: output, ...proof }
}

export type EmbedParameters = CallParameters & { model: string; input: string | readonly string[] }
export type EmbedResult = Proof & {
  /** One vector an input, in their order. */
  embeddings: number[][]
}

/** @throws SdkError */
export async function embed(caller: Caller, parameters: EmbedParameters): Promise<EmbedResult> {
  const body = { ...bodyIn(parameters, ['model', 'input']), encoding_format: 'float' }
  const { output, proof } = await callWhole(caller, '/v1/embeddings', body, parameters, async (response) => {
    const { data } = (await readJsonAnswer(response)) as { data?: { index: number; embedding?: unknown }[] }
    const vectors = [...(data ?? [])].sort((a, b) => a.index - b.index).map((entry) => entry.embedding)
    if (vectors.length === 0 || !vectors.every(isVector)) throw malformed('it holds no vectors')
    return vectors
  })
  return { embeddings: output, ...proof }
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number')
}

export type InferParameters = CallParameters & {
  model: string
  /** Numbers as the model takes them, flat or as lists of lists. It will stand in a public file, as the proof is about it. */
  input: readonly unknown[]
}
export type InferResult = Proof & {
  output: number[]
  /** The proven integers that `output` stands for. */
  tensor: number[]
}

/**
 * Numbers through a circuit whose answers are proved (docs/zkml.md). `wait: 'answer'` waits for no proof; by default it
 * is verified and stands in a batch on chain. @throws SdkError
 */
export async function infer(caller: Caller, parameters: InferParameters): Promise<InferResult> {
  // By name, for a receipt of another mode promises no proof: `auto` would take one from a gateway that looked past it.
  const { verification = 'zk' } = parameters
  const asked = { ...parameters, verification, settlement: 'full' } as const
  const body = bodyIn(parameters, ['model', 'input'])
  const { output, proof } = await callWhole(caller, '/v1/infer', body, asked, async (response) =>
    readInferAnswer(new Uint8Array(await response.arrayBuffer())),
  )
  return { output: output.output, tensor: output.tensor, ...proof }
}
