import { formatOpg, priceOf, type Receipt, SKEW_SECONDS, STATUS } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, step } from '../step.ts'

/** The price is what the publisher's row makes of the units, to the last base unit. */
export function priceMatches(receipt: Receipt, view: ChainView): Promise<Step> {
  return step('priceMatches', () => {
    const { price, publisher } = view
    if (price === null || publisher === null) {
      return failed(
        'price_unknown',
        `Model ${receipt.modelId} has no price version ${receipt.priceVersion} on this chain.`,
      )
    }
    if (price.validFrom > receipt.issuedAt + SKEW_SECONDS) {
      return failed(
        'price_not_valid_then',
        `Price version ${receipt.priceVersion} begins at ${price.validFrom}.`,
      )
    }
    const { inputUnits, outputUnits, status } = receipt
    const expected = priceOf(price, { inputUnits, outputUnits, failed: status === STATUS.failed })
    return receipt.price === expected
      ? passed(`The price is ${formatOpg(expected)} for ${inputUnits} units in and ${outputUnits} out.`)
      : failed(
          'price_differs',
          `The units cost ${formatOpg(expected)}, the receipt says ${formatOpg(receipt.price)}.`,
        )
  })
}
