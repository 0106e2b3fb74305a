/**
 * A prover that lies once and is honest from there on: everything after the false step is recomputed from it, so that
 * nothing but the step itself can give it away.
 */

import type { Plan } from '../../src/circuit/plan.ts'
import type { Statement } from '../../src/circuit/statement.ts'
import { rowOf } from '../../src/lookup/tables.ts'
import type { Columns } from '../../src/prover/columns.ts'
import { formRows } from '../../src/prover/countRows.ts'
import { fillNode, startColumns } from '../../src/prover/execute.ts'
import { type CommittedModel, proveColumns } from '../../src/prover/prove.ts'
import { ProofWriter } from '../../src/transcript/proofWriter.ts'
import type { Transcript } from '../../src/transcript/transcript.ts'
import { statementTranscript, verifyProof } from '../../src/verifier/verify.ts'

export type Lie = {
  /** Called when the columns of a node stand, before the next node reads them. */
  afterNode?: (node: number, columns: Columns, plan: Plan) => void
  /** Called when the multiplicities stand. */
  afterCount?: (columns: Columns, plan: Plan) => void
  /** Stands in for the transcript of the statement. */
  transcript?: (statement: Statement) => Transcript
  /** A plan of the liar's own. */
  plan?: Plan
}

export type Forgery = { statement: Statement; proof: Uint8Array }

/** Multiplicities for the values that their tables hold; the others stay uncounted. */
export function countWhatFits(plan: Plan, columns: Columns): void {
  for (const { table, multiplicities } of plan.tables)
    columns[multiplicities] = new Int32Array(2 ** table.bits)
  for (const { table, bits, first } of plan.lookups) {
    const use = plan.tables[table] as Plan['tables'][number]
    const counts = columns[use.multiplicities] as Int32Array
    for (const value of formRows(first, columns, bits)) {
      const row = rowOf(use.table, value)
      if (row !== undefined) counts[row] = (counts[row] as number) + 1
    }
  }
}

export function forge(committed: CommittedModel, input: readonly number[], lie: Lie): Forgery {
  const { model, work, commitment } = committed
  const plan = lie.plan ?? model.plan
  const columns = startColumns(model, input)
  for (const node of plan.nodes.keys()) {
    fillNode({ ...model, plan }, columns, node)
    lie.afterNode?.(node, columns, plan)
  }
  countWhatFits(plan, columns)
  lie.afterCount?.(columns, plan)
  const units = plan.tensors.at(-1)?.channels ?? 0
  const output = [...(columns[plan.tensorValues.at(-1) as number] as Int32Array).subarray(0, units)]
  const statement = { weightsRoot: commitment.root, input, output }
  const transcript = lie.transcript?.(statement) ?? statementTranscript(model.plan, statement)
  const writer = new ProofWriter(transcript)
  const mark = work.arena.mark()
  proveColumns({ ...committed, model: { ...model, plan } }, columns, writer)
  work.arena.release(mark)
  return { statement, proof: writer.bytes() }
}

/** Why the verifier refuses a forgery: its error's message, or undefined if it does not. */
export function refusal({ model }: CommittedModel, { statement, proof }: Forgery): string | undefined {
  try {
    verifyProof(model.plan.architecture, statement, proof)
    return undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'ZkmlError') return error.message.split('\n')[0]
    throw error
  }
}
