import { planCircuit } from '../../src/circuit/planCircuit.ts'
import { modelRootOf } from '../../src/circuit/statement.ts'
import type { Subject } from './mutants.ts'

/** What a card says of the model of a proof; its encodings are nobody's concern here. */
export function cardOfSubject({ architecture, statement }: Pick<Subject, 'architecture' | 'statement'>) {
  const { weightsRoot } = statement
  const modelRoot = modelRootOf(planCircuit(architecture), weightsRoot)
  return { architecture, weightsRoot, modelRoot }
}
