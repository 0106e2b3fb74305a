import { AssayError, type InferenceRoute } from '@assay/protocol'
import {
  canonicalRequest,
  type SignedOutput,
  type SignedRoute,
  type TeeFields,
  teeRequestHash,
} from '@assay/protocol/opengradient'
import type { Hex } from 'viem'
import { type Answer, callsOf, collectAnswer, textOf } from '../dialects/answer.ts'
import type { AnswerWriter, Dialect, ModelFacts, Reading, StreamWriter } from '../dialects/dialect.ts'
import { DIALECTS } from '../dialects/dialects.ts'
import { usageJson } from '../dialects/openai/writeChat.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { Work } from '../engines/engine.ts'

/** Signs what was answered to a request, now. */
export type SignAnswer = (requestHash: Hex, output: SignedOutput) => TeeFields

/** The two paths whose answers carry OpenGradient's fields; all others stay as they are. */
export function openGradientDialects(sign: SignAnswer): Readonly<Record<string, Dialect>> {
  const signed = (path: string, route: SignedRoute) => signing(DIALECTS[path] as Dialect, route, sign)
  return {
    ...DIALECTS,
    '/v1/chat/completions': signed('/v1/chat/completions', 'chat'),
    '/v1/completions': signed('/v1/completions', 'completions'),
  }
}

/**
 * A dialect whose answers also carry what OpenGradient's enclaves say of them. Assay's receipt covers the bytes that the
 * client gets, these fields among them.
 */
function signing(inner: Dialect, route: SignedRoute, sign: SignAnswer): Dialect {
  return {
    ...inner,
    read(body, headers, model) {
      const facts = (name: string) => ownWords(model(name), route)
      const asked = inner.read(body, headers, facts)
      if ('error' in asked) return asked
      if (choicesOf(asked.work) !== 1) {
        const param = asked.work.kind === 'completion' && asked.work.prompts.length > 1 ? 'prompt' : 'n'
        const message =
          'OpenGradient signs one answer to a request; ask for the others in requests of their own.'
        return { error: badRequest(message, param, 'unsupported_value') }
      }
      // Usage comes with the last frame whether it was asked for or not, so the inner writer need not know of it.
      const reading = withoutStreamOptions(body, (plain) => inner.read(plain, headers, facts))
      if ('error' in reading) return reading
      let requestHash: Hex
      try {
        requestHash = teeRequestHash(canonicalRequest(route, body))
      } catch (error) {
        if (!(error instanceof AssayError)) throw error
        return { error: badRequest(error.message, null, 'invalid_value') }
      }
      const finish = (answer: Answer): Record<string, unknown> => {
        const output = outputOf(answer)
        return {
          ...sign(requestHash, output),
          ...(route === 'completions' && 'text' in output ? { completion: output.text } : {}),
        }
      }
      return { ...reading, answer: (head) => signedWriter(reading.answer(head), finish) }
    },
  }
}

/** Bytes that another server words cannot carry our fields: the engine is asked for steps, which are worded here. */
function ownWords(facts: ModelFacts | undefined, route: InferenceRoute): ModelFacts | undefined {
  if (facts === undefined) return undefined
  return { ...facts, native: new Set([...facts.native].filter((entry) => entry !== route)) }
}

function choicesOf(work: Work): number {
  if (work.kind === 'chat') return work.settings.choices
  return work.kind === 'completion' ? work.prompts.length * work.settings.choices : 1
}

type Read = (body: Uint8Array) => ReturnType<Dialect['read']>

function withoutStreamOptions(body: Uint8Array, read: Read): Reading | ReturnType<Read> {
  // The same bytes were read a moment ago.
  const fields = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
  const { stream_options: _, ...plain } = fields
  return read(new TextEncoder().encode(JSON.stringify(plain)))
}

/** The function calls where they are why the model stopped, else the text. */
function outputOf({ choices: [choice] }: Answer): SignedOutput {
  if (choice === undefined) return { text: '' }
  const calls = callsOf(choice)
  return choice.finish === 'tool_calls' && calls.length > 0 ? { calls } : { text: textOf(choice) }
}

function signedWriter(
  inner: AnswerWriter,
  finish: (answer: Answer) => Record<string, unknown>,
): AnswerWriter {
  return {
    whole(answer, usage) {
      const body = JSON.parse(new TextDecoder().decode(inner.whole(answer, usage))) as Record<string, unknown>
      return new TextEncoder().encode(JSON.stringify({ ...body, ...finish(answer) }))
    },
    stream: () => signedStream(inner.stream(), finish),
  }
}

const FRAME_END = '\n\n'
const DATA = 'data: '

/** As the inner stream, but for its last data frame, which waits to be sent with finish_reason, usage and signature in one. */
function signedStream(
  inner: StreamWriter,
  finish: (answer: Answer) => Record<string, unknown>,
): StreamWriter {
  const { add, answer } = collectAnswer()
  let last: Record<string, unknown> = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }
  return {
    ...inner,
    event(event, outputUnits) {
      add(event)
      const text = inner.event(event, outputUnits)
      if (event.type !== 'finish') return text
      // The first frame may only now open the answer; the last one ends it.
      const frames = text.split(FRAME_END).slice(0, -1)
      const held = frames.pop()
      if (held !== undefined) last = JSON.parse(held.slice(DATA.length)) as Record<string, unknown>
      return frames.map((frame) => frame + FRAME_END).join('')
    },
    close: (usage) =>
      `${DATA}${JSON.stringify({ ...last, usage: usageJson(usage), ...finish(answer) })}${FRAME_END}`,
  }
}
