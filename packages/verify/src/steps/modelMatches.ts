import { type Bundle, modelIdOf } from '@assay/protocol'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The manifest beside the receipt is the model that the receipt names. */
export function modelMatches({ model, receipt }: Bundle): Promise<Step> {
  return step('modelMatches', () => {
    if (model === undefined) return skipped('model_absent', 'The bundle holds no model manifest.')
    return same(modelIdOf(model), receipt.modelId)
      ? passed(`The model is ${JSON.stringify(model.name)}.`)
      : failed('model_differs', `The manifest hashes to ${modelIdOf(model)}, signed was ${receipt.modelId}.`)
  })
}
