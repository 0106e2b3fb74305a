import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import type { Row } from './row.ts'
import { python, type Way, type World } from './world.ts'

const SCRIPT = path.join(import.meta.dirname, 'python', 'rows.py')
const interpreter = python()

function installed(): Record<string, string> {
  if ('missing' in interpreter) return {}
  return JSON.parse(execFileSync(interpreter.path, [SCRIPT, 'versions'], { encoding: 'utf8' }))
}
const versions = installed()

/** Rows of `rows.py`: package, function, what it does, and the ways in; none for what pays by itself. */
const ROWS: readonly [string, string, string, readonly Way['name'][]][] = [
  ['openai', 'openai_chat', 'chat', ['grant key', 'proxy']],
  ['openai', 'openai_stream', 'chat, streamed with usage', ['grant key', 'proxy']],
  ['openai', 'openai_tools', 'a function call', ['proxy']],
  ['openai', 'openai_parse', 'a parsed answer, sent back as it came', ['proxy']],
  ['openai', 'openai_rest', 'responses, embeddings, models, a typed error', ['grant key', 'proxy']],
  ['anthropic', 'anthropic_messages', 'messages, streamed, counted', ['grant key', 'proxy']],
  ['anthropic', 'anthropic_tools', 'a tool call', ['proxy']],
  ['anthropic', 'anthropic_runner', 'the tool runner, to its second turn', ['proxy']],
  ['langchain-openai', 'langchain_chat', 'ChatOpenAI: invoke and stream', ['grant key', 'proxy']],
  ['x402', 'x402_exact', 'a 402 paid by exact', []],
]

function rowOf(name: string, row: string, what: string, way: Way['name'] | undefined): Row {
  return {
    client: `${name} (PyPI)`,
    version: versions[name],
    way: way ?? 'x402',
    what,
    skip:
      'missing' in interpreter
        ? interpreter.missing
        : name in versions
          ? undefined
          : `${name} is not installed`,
    async run(world: World) {
      if ('missing' in interpreter) throw new Error('unreachable: it is skipped')
      const through = way === undefined ? undefined : way === 'proxy' ? world.proxy : world.grant
      const { code, stderr } = await world.run(
        'env',
        [`ASSAY_WAY=${way}`, interpreter.path, SCRIPT, row],
        through,
      )
      assert.equal(code, 0, stderr)
    },
  }
}

export const pythonRows: Row[] = [
  ...ROWS.flatMap(([name, row, what, ways]) =>
    ways.length === 0 ? [rowOf(name, row, what, undefined)] : ways.map((way) => rowOf(name, row, what, way)),
  ),
  {
    client: 'opengradient (PyPI)',
    version: versions.opengradient,
    way: 'its own profile',
    what: 'chat, completion, streams',
    skip: 'it needs a network under its own profile: npm run test:opengradient',
    run: async () => undefined,
  },
]
