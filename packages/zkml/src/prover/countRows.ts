/** How often each table row is looked up; what makes both sides of the lookup argument equal. */
import type { Form, Plan } from '../circuit/plan.ts'
import { ZkmlError } from '../errors.ts'
import { rowOf } from '../lookup/tables.ts'
import type { Columns } from './columns.ts'

/** Rows of a form over 2^bits rows. */
export function formRows(form: Form, columns: Columns, bits: number): Int32Array {
  const rows = new Int32Array(2 ** bits).fill(form.constant)
  for (const { value, coefficient } of form.terms) {
    const column = columns[value] as Int32Array
    for (let i = 0; i < rows.length; i++) rows[i] = (rows[i] as number) + coefficient * (column[i] as number)
  }
  return rows
}

/** Fills the multiplicity columns. @throws ZkmlError bad_model when a value is in no row of its table */
export function countRows(plan: Plan, columns: Columns): void {
  const counts = plan.tables.map(({ table }) => new Int32Array(2 ** table.bits))
  for (const { table, bits, first } of plan.lookups) {
    const count = counts[table] as Int32Array
    const { table: kind } = plan.tables[table] as (typeof plan.tables)[number]
    for (const value of formRows(first, columns, bits)) {
      const row = rowOf(kind, value)
      if (row === undefined)
        throw new ZkmlError('bad_model', 'a value is outside its table', { table, value })
      count[row] = (count[row] as number) + 1
    }
  }
  for (const [index, { multiplicities }] of plan.tables.entries()) columns[multiplicities] = counts[index]
}
