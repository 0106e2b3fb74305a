import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Row } from './row.ts'
import { python, type World } from './world.ts'

const FOLDER = path.resolve(import.meta.dirname, '..', '..', 'examples')
const LONGEST_LINES = 15

/** What each prints; those that ask for a key are run with one under a grant, or through the proxy. */
const EXPECTED: Record<string, { prints: RegExp; way?: 'grant' | 'proxy' }> = {
  'agent-tools.ts': { prints: /assay_infer[\s\S]*Paris/ },
  'ai-sdk.ts': { prints: /Paris[\s\S]*verified: true/ },
  'anthropic.ts': { prints: /Paris/ },
  'anthropic_key.py': { prints: /Paris/, way: 'grant' },
  'curl.sh': { prints: /"maximum"[\s\S]*x-assay-receipt: [\s\S]*Paris/i, way: 'grant' },
  'langchain.ts': { prints: /Paris[\s\S]*verified: true/ },
  'langchain_key.py': { prints: /Paris/, way: 'proxy' },
  'mcp.ts': { prints: /assay_infer[\s\S]*Paris/ },
  'openai-key.ts': { prints: /Paris/, way: 'grant' },
  'openai.ts': { prints: /Paris/ },
  'openai_key.py': { prints: /Paris/, way: 'proxy' },
  'proxy.sh': { prints: /x-assay-verified: true[\s\S]*Paris/, way: 'proxy' },
  'sdk-stream.ts': { prints: /… [1-9][0-9]*n/ },
  'sdk.ts': { prints: /Paris[\s\S]*0x[0-9a-f]{64}[\s\S]*trust/i },
  'x402-bazaar.ts': { prints: /\/v1\/messages .*exact: at most [1-9]/ },
  'x402-fetch.ts': { prints: /choices[\s\S]*ey/ },
  'x402_pay.py': { prints: /^200 [\s\S]*choices/ },
}

const interpreter = python()

/** Why a sample cannot run on this network, for a visible skip. */
function skipOf(file: string): string | undefined {
  if (file === 'opengradient_chat.py')
    return 'it needs a network under its own profile: npm run test:opengradient'
  return file.endsWith('.py') && 'missing' in interpreter ? interpreter.missing : undefined
}

/** A row a sample: one that is there without being expected here, or is too long, fails. */
export const examples: Row[] = readdirSync(FOLDER)
  .filter((file) => /\.(?:ts|py|sh)$/.test(file))
  .map((file) => ({
    client: 'examples',
    version: '0.1.0',
    way: file,
    what: `runs as it stands, in at most ${LONGEST_LINES} lines`,
    skip: skipOf(file),
    async run(world: World) {
      const expected = EXPECTED[file]
      assert.ok(expected, 'its output is not described in test/clients/examples.ts')
      const lines = readFileSync(path.join(FOLDER, file), 'utf8').trimEnd().split('\n').length
      assert.ok(lines <= LONGEST_LINES, `${lines} lines`)
      const way = expected.way === undefined ? undefined : world[expected.way]
      const { code, stdout, stderr } = await world.example(file, way)
      assert.equal(code, 0, stdout + stderr)
      assert.match(stdout, expected.prints, stderr)
    },
  }))
