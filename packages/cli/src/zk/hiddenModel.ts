import {
  type CompiledModel,
  commitVeiledModel,
  createWorkspace,
  type VeiledModel,
  veiledModelRoot,
} from '@assay/zkml'
import type { Progress } from '../up/progress.ts'
import { hex } from './modelIdentity.ts'

export type Hidden = { veiled: VeiledModel; root: string; milliseconds: number }

/** Commits to a model's weights under masks; root and number of proofs are its identity then. */
export function hideModel(
  { model }: CompiledModel,
  { seed, proofs }: { seed: Uint8Array; proofs: number },
  progress: Progress,
): Promise<Hidden> {
  return progress.step(
    'commit',
    async () => {
      const started = performance.now()
      const veiled = commitVeiledModel(createWorkspace(), model, seed, proofs)
      const root = hex(veiledModelRoot(veiled.circuit, veiled.weights.commitment.root))
      return { veiled, root, milliseconds: performance.now() - started }
    },
    ({ root }) => root,
  )
}
