import { ENGINE_CLASS, MODE, MODE_NAMES, type Receipt, STATUS } from '@assay/protocol'
import { zeroHash } from 'viem'
import { failed, type Outcome, passed, type Step, step } from '../step.ts'

function brokenRule(receipt: Receipt): string | undefined {
  if (receipt.version !== 1) return `Version ${receipt.version} is unknown; this verifier knows 1.`
  if (receipt.engineClass > ENGINE_CLASS.unattested) return `There is no engine class ${receipt.engineClass}.`
  if (receipt.mode > MODE.replay) return `There is no mode ${receipt.mode}.`
  if (receipt.status > STATUS.failed) return `There is no status ${receipt.status}.`
  if ((receipt.status === STATUS.failed || receipt.outputUnits === 0n) && receipt.price !== 0n) {
    return `Nothing was delivered, and yet it costs ${receipt.price}.`
  }
  return undefined
}

function checkMode(receipt: Receipt): Outcome {
  if (receipt.mode === MODE.replay) {
    return failed('mode_unsupported', 'This verifier cannot check evidence of mode replay.')
  }
  if (receipt.mode === MODE.zk) {
    const claims = receipt.evidenceHash !== zeroHash
    return claims || receipt.price === 0n
      ? passed('The receipt is well formed.')
      : failed('receipt_rule_broken', 'It costs something and names nothing that could be proven.')
  }
  return receipt.evidenceHash === zeroHash
    ? passed('The receipt is well formed.')
    : failed('receipt_rule_broken', `Mode ${MODE_NAMES[receipt.mode]} has no evidence hash of its own.`)
}

/** The rules a receipt must satisfy on its own (docs/spec.md §4). */
export function receiptIsSound(receipt: Receipt): Promise<Step> {
  return step('receiptIsSound', () => {
    const broken = brokenRule(receipt)
    return broken === undefined ? checkMode(receipt) : failed('receipt_rule_broken', broken)
  })
}
