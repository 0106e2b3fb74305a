import { MODE, type Receipt } from '@assay/protocol'
import { type ChainView, covers } from '../chainView.ts'
import { failed, passed, type Step, same, step } from '../step.ts'

/** That key was registered by this operator, on approved hardware, when the receipt was issued. */
export function keyWasAttested(receipt: Receipt, view: ChainView): Promise<Step> {
  return step('keyWasAttested', () => {
    const { key, hardware, root } = view
    const at = receipt.issuedAt
    if (key === null || key.validFrom === 0n) {
      return failed('key_unknown', `Key ${receipt.key} is not registered.`)
    }
    if (!same(key.node, receipt.node)) {
      return failed('key_of_other_node', `Key ${receipt.key} belongs to ${key.node}, not to ${receipt.node}.`)
    }
    if (!covers(key, at)) {
      const until = key.revokedAt === 0n ? 'open end' : key.revokedAt
      const { suspension } = key
      const except =
        suspension === undefined
          ? ''
          : ` except ${suspension.from} to ${suspension.until}, when it was suspended`
      const life = `from ${key.validFrom} to ${until}${except}`
      return failed('key_not_valid_then', `The key is valid ${life}, not at ${at}.`)
    }
    if (!key.bonded && key.expiresAt !== undefined && key.expiresAt !== 0n && at >= key.expiresAt) {
      const reason = `The key was attested until ${key.expiresAt} and not again; the receipt is of ${at}.`
      return failed('key_not_valid_then', reason)
    }
    if (key.bonded !== (receipt.mode === MODE.bonded)) {
      return failed(
        'key_mode_differs',
        'Mode bonded and a bonded key belong together; here is only one of them.',
      )
    }
    if (((key.engineClasses >> receipt.engineClass) & 1) !== 1) {
      return failed('engine_class_not_allowed', `The key may not claim engine class ${receipt.engineClass}.`)
    }
    if (key.bonded) return passed(`The key is registered by ${receipt.node}, with its bond alone behind it.`)
    if (hardware === null || !covers(hardware, at)) {
      return failed('hardware_not_approved', `Hardware type ${key.hardwareType} was not approved at ${at}.`)
    }
    if (root === null || !covers(root, at)) {
      return failed('hardware_not_approved', `Root ${key.rootHash} was not approved at ${at}.`)
    }
    return passed('The key was registered from an attestation under an approved root, and valid then.')
  })
}
