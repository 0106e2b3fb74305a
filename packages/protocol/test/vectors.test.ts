/** The vector files that other implementations read are those that this code gives. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { vectors } from '../scripts/writeVectors.ts'

const folder = join(import.meta.dirname, '..', 'vectors')

test('packages/protocol/vectors is up to date; else run node packages/protocol/scripts/writeVectors.ts', async () => {
  const expected = await vectors()
  assert.deepEqual(readdirSync(folder).sort(), [...expected.keys()].sort())
  for (const [name, text] of expected) assert.equal(readFileSync(join(folder, name), 'utf8'), text, name)
})
