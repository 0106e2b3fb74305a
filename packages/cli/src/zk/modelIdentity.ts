import {
  type CommittedModel,
  type CompiledModel,
  commitModel,
  createWorkspace,
  modelRootOf,
} from '@assay/zkml'
import type { Progress } from '../up/progress.ts'

export type Committed = { committed: CommittedModel; root: string; milliseconds: number }

export const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`

/** Commits to a model's weights; its root is the model's identity. */
export function commitTo({ model }: CompiledModel, progress: Progress): Promise<Committed> {
  return progress.step(
    'commit',
    async () => {
      const started = performance.now()
      const committed = commitModel(createWorkspace(), model)
      const root = hex(modelRootOf(model.plan, committed.commitment.root))
      return { committed, root, milliseconds: performance.now() - started }
    },
    ({ root }) => root,
  )
}

/** Weights and biases. */
export function parameterCount({ model }: CompiledModel): number {
  return model.parameters.reduce((sum, own) => sum + (own?.weights.length ?? 0) + (own?.bias.length ?? 0), 0)
}
