/** A model's price, OPG base units per call and per unit (token or tensor element). */
export type PriceRow = { perCall: bigint; inputPrice: bigint; outputPrice: bigint }

/** Allowance for the prompt template around the body's text, units (docs/spec.md §10). */
export const TEMPLATE_UNITS = 64

/** What an answer costs; nothing where it failed or is empty. */
export function priceOf(
  row: PriceRow,
  usage: { inputUnits: bigint; outputUnits: bigint; failed: boolean },
): bigint {
  if (usage.failed || usage.outputUnits === 0n) return 0n
  return row.perCall + row.inputPrice * usage.inputUnits + row.outputPrice * usage.outputUnits
}

/** The most a request can cost: no tokenizer makes more tokens than there are bytes. */
export function quoteMaximum(row: PriceRow, bodyBytes: number, maxOutput: number): bigint {
  return (
    row.perCall + row.inputPrice * BigInt(bodyBytes + TEMPLATE_UNITS) + row.outputPrice * BigInt(maxOutput)
  )
}
