import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const page = readFileSync(join(root, 'docs/threat-model.md'), 'utf8')
const read = (pattern: string): string =>
  globSync(pattern, { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')

/** Whether a source holds a test of that name, Solidity or TypeScript. */
const holds = (source: string, name: string): boolean =>
  source.includes(`function ${name}(`) || source.includes(`test('${name}'`)

test('every item of the appendix names a test that stands in its file', () => {
  const appendix = page.slice(page.indexOf('## Appendix'))
  const rows = [...appendix.matchAll(/^\| (.+?) \| (\S+\.(?:sol|ts)) \| (.+?) \|$/gm)]
  const numbers = new Set(rows.map(([, item = '']) => item.match(/^\d+/)?.[0]))
  for (let number = 1; number <= 15; number++) assert.ok(numbers.has(String(number)), `item ${number}`)
  assert.equal(rows.filter(([, item = '']) => item.startsWith('hole: ')).length, 8)
  for (const [, item, file = '', name = ''] of rows) {
    assert.ok(holds(readFileSync(join(root, file), 'utf8'), name), `${item}: no ${name} in ${file}`)
  }
})

test('every test that the page names exists', () => {
  const solidity = read('contracts/test/*.sol')
  const typescript = read('{packages/*/test,test}/**/*.ts')
  const body = page.slice(0, page.indexOf('## Appendix'))
  const named = [...body.matchAll(/`((?:test|invariant)\w+)`/g)].map(([, name = '']) => name)
  const quoted = [...body.matchAll(/“([^”]{12,})”/g)].map(([, name = '']) => name)
  assert.ok(named.length > 40 && quoted.length > 15)
  for (const name of named) assert.ok(holds(solidity, name), `no Solidity test ${name}`)
  for (const name of quoted) assert.ok(holds(typescript, name), `no test “${name}”`)
})
