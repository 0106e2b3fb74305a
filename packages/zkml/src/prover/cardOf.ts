import type { CompiledModel } from '../compiler/compileOnnx.ts'
import { encodeModelCard } from '../files/modelCard.ts'
import { createWorkspace } from '../kernels/wasmKernels.ts'
import { commitModel } from './prove.ts'

/** The card of a compiled model: commits to its weights, which takes as long as publication does. */
export function cardOf({ model, input, output }: CompiledModel): Uint8Array {
  const { commitment } = commitModel(createWorkspace(), model)
  return encodeModelCard({
    architecture: model.plan.architecture,
    weightsRoot: commitment.root,
    input,
    output,
  })
}
