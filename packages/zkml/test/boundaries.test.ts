import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'

const PACKAGE = resolve(import.meta.dirname, '..')
const SOURCE = resolve(PACKAGE, 'src')
const { imports } = JSON.parse(readFileSync(resolve(PACKAGE, 'package.json'), 'utf8')) as {
  imports: Record<string, { default: string }>
}

/** Every module that an entry reaches in a browser: files relative to the source folder, and packages by name. */
function reachedFrom(entry: string): Set<string> {
  const reached = new Set<string>()
  const visit = (file: string) => {
    const name = relative(SOURCE, file)
    if (reached.has(name)) return
    reached.add(name)
    for (const [, type, module] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'/gm,
    )) {
      if (type !== undefined) continue
      const own = imports[module as string]
      if (own !== undefined) visit(resolve(PACKAGE, own.default))
      else if (module?.startsWith('.')) visit(resolve(dirname(file), module))
      else reached.add(module as string)
    }
  }
  visit(resolve(SOURCE, entry))
  return reached
}

test('the verifier reaches no prover, no kernel and nothing of Node', () => {
  const reached = [...reachedFrom('verifier/index.ts')]
  assert.ok(reached.includes('verifier/verify.ts') && reached.includes('commitment/verifyOpening.ts'))
  assert.deepEqual(
    reached.filter((name) =>
      /^(prover|kernels|checker|node:)|commitment\/commit\.ts|circuit\/model\.ts/.test(name),
    ),
    [],
  )
  assert.deepEqual(reached.filter((name) => !name.endsWith('.ts')).sort(), [
    '@noble/hashes/sha3.js',
    '@noble/hashes/utils.js',
  ])
})

test('the integer checker shares no code with what it checks', () => {
  assert.deepEqual([...reachedFrom('checker/runOverIntegers.ts')], ['checker/runOverIntegers.ts'])
})
