import type { Hex } from 'viem'

/** AMD's server lines with SEV-SNP, as the common name of each line's root says it (ARK-Milan, …). */
export const SNP_PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const
export type SnpProduct = (typeof SNP_PRODUCTS)[number]

/** keccak256 of the DER of each line's root (ARK), as AMD's key distribution service gives it. */
export const AMD_ROOT_HASHES: Readonly<Record<SnpProduct, Hex>> = {
  Milan: '0x631fd564035c8ccf97866e09d5dbda438859755418716a746f7598a268fc23bd',
  Genoa: '0x67d8fc62175313b97969a686cb3c0567fab12e8b3b8d962cf21c33f7a4a5ed84',
  Turin: '0x5d5329805074e13bc72fe986a83fbdbe5a37b84a521672f8a78330a925f4b955',
}

/** Names that a line's chips carry in their certificates; Bergamo and Siena are Genoa to the key distribution service. */
const NAMES: Record<SnpProduct, readonly string[]> = {
  Milan: ['Milan'],
  Genoa: ['Genoa', 'Bergamo', 'Siena'],
  Turin: ['Turin'],
}

/** Line of a chip by the product name in its certificate, e.g. "Milan-B0" or, from a cloud's key, "Milan". */
export function productOfName(name: string): SnpProduct | undefined {
  const line = name.split('-')[0] as string
  return SNP_PRODUCTS.find((product) => NAMES[product].includes(line))
}

/** Line of a chip by CPUID family and model, which reports carry from version 3 on. */
export function productOfCpuid(family: number, model: number): SnpProduct | undefined {
  if (family === 0x19 && model <= 0x0f) return 'Milan'
  if (family === 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)))
    return 'Genoa'
  if (family === 0x1a && model <= 0x1f) return 'Turin'
  return undefined
}
