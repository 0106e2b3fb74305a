/** Vectors of prices and charges. */
import { priceOf, quoteMaximum } from '../../src/index.ts'
import { prices, type Vector } from './world.ts'

export function pricing(): { [kind: string]: Vector[] } {
  const row = {
    perCall: prices.perCall.toString(),
    inputPrice: prices.inputPrice.toString(),
    outputPrice: prices.outputPrice.toString(),
  }
  const usages: [bigint, bigint, number][] = [
    [20n, 5n, 0],
    [20n, 0n, 0],
    [20n, 5n, 1],
    [20n, 5n, 2],
    [2n ** 63n, 2n ** 63n, 0],
  ]
  return {
    prices: usages.map(([inputUnits, outputUnits, status]) => ({
      row,
      inputUnits: inputUnits.toString(),
      outputUnits: outputUnits.toString(),
      status,
      price: priceOf(prices, { inputUnits, outputUnits, failed: status === 2 }).toString(),
    })),
    quotes: [
      [0, 1],
      [180, 16],
      [180, 2048],
    ].map(([bodyBytes, maxOutput]) => ({
      row,
      bodyBytes: bodyBytes as number,
      maxOutput: maxOutput as number,
      maximum: quoteMaximum(prices, bodyBytes as number, maxOutput as number).toString(),
    })),
  }
}
