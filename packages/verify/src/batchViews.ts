import type { BatchEntry } from '@assay/protocol'
import type { ChainView } from './chainView.ts'

export type ReadView = (signed: BatchEntry) => Promise<ChainView>

/**
 * Views for the receipts of one batch: the chain is read once for each (key, model, price version, anchor, mode, grant), since that is
 * all a receipt's own judgement asks of it. The batch under judgement stands in every view; payments are escrow's affair.
 */
export function batchViews(batch: NonNullable<ChainView['batch']>, read: ReadView): ReadView {
  const views = new Map<string, Promise<ChainView>>()
  return (signed) => {
    const { key, modelId, priceVersion, anchorBlock, mode } = signed.receipt
    const id = [key, modelId, priceVersion, anchorBlock, mode, signed.grant?.id].join()
    const known = views.get(id)
    if (known !== undefined) return known
    const view = read(signed).then((found): ChainView => ({ ...found, batch, payment: null }))
    views.set(id, view)
    return view
  }
}
