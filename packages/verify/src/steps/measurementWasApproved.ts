import { MODE, type Receipt } from '@assay/protocol'
import { type ChainView, covers } from '../chainView.ts'
import { failed, passed, type Step, skipped, step } from '../step.ts'

/** The code that held the key was approved by governance, then and for this engine class. */
export function measurementWasApproved(receipt: Receipt, view: ChainView): Promise<Step> {
  return step('measurementWasApproved', () => {
    const { key, measurement } = view
    // Decided by the receipt, not by the registry's answer: a missing record must not turn into a skip.
    if (receipt.mode === MODE.bonded)
      return skipped('unmeasured', 'A bonded key runs code that nobody measured.')
    if (key === null) return failed('key_unknown', `Key ${receipt.key} is not registered.`)
    if (measurement === null || !covers(measurement, receipt.issuedAt)) {
      return failed(
        'measurement_not_approved',
        `Measurement ${key.measurement} was not approved at ${receipt.issuedAt}.`,
      )
    }
    if (((measurement.engineClasses >> receipt.engineClass) & 1) !== 1) {
      return failed(
        'engine_class_not_allowed',
        `The measurement is not approved for engine class ${receipt.engineClass}.`,
      )
    }
    return passed(`Measurement ${key.measurement} was approved then.`)
  })
}
