/**
 * The conformance table: other people's clients, unmodified, and ours, on one running network. A row is a test; a row
 * whose client is not installed is skipped by name. The table, with versions and gaps, is printed at the end.
 *
 * `npm test` runs a slice: the first row of each client and way in, all of ours, every sample. All: `npm run test:clients`,
 * and CI.
 */
import { after, before, test } from 'node:test'
import { anthropicNode } from './anthropicNode.ts'
import { examples } from './examples.ts'
import { frameworksNode } from './frameworksNode.ts'
import { openaiNode } from './openaiNode.ts'
import { ours } from './ours.ts'
import { pythonRows } from './pythonRows.ts'
import type { Row } from './row.ts'
import { describeTable, type Outcome } from './table.ts'
import { startWorld, type World } from './world.ts'

const theirs = [...openaiNode, ...anthropicNode, ...frameworksNode, ...pythonRows]
const isAll = process.env.ASSAY_CLIENTS === 'all'
const rows: Row[] = [...(isAll ? theirs : firstOfEach(theirs)), ...ours, ...examples]
const outcomes = new Map<Row, Outcome>()

function firstOfEach(all: readonly Row[]): Row[] {
  const seen = new Set<string>()
  return all.filter(({ client, way }) => {
    const key = `${client} ${way}`
    return !seen.has(key) && seen.add(key)
  })
}

let world: World
before(async () => {
  world = await startWorld()
})
after(async () => {
  process.stdout.write(describeTable(rows, outcomes, theirs.length + ours.length + examples.length))
  await world?.close()
})

for (const row of rows) {
  test(`${row.client}, ${row.way}: ${row.what}`, { skip: row.skip ?? false }, async () => {
    outcomes.set(row, 'failed')
    await row.run(world)
    outcomes.set(row, 'passed')
  })
}
