import { FAULT_CLASS } from '@assay/protocol'

const WORDS: Record<number, string> = {
  [FAULT_CLASS.tee]: 'a receipt that no valid key signed',
  [FAULT_CLASS.zk]: 'a proof of inference that does not hold',
  [FAULT_CLASS.equivocation]: 'two signatures of which only one can be true',
  [FAULT_CLASS.data]: 'data that nobody showed',
  [FAULT_CLASS.replay]: 'an answer that no other run gives',
  [FAULT_CLASS.sum]: 'totals that are not those of the receipts',
  [FAULT_CLASS.row]: 'a receipt where it does not belong, twice, or above its price',
  [FAULT_CLASS.canary]: 'a batch that was false on purpose, for those who call it valid without looking',
}

/** A class of faults in words. */
export function faultWords(faultClass: number): string {
  return `${WORDS[faultClass] ?? 'a fault of a kind this program does not know'} (class ${faultClass})`
}
