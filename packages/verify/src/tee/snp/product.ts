/** AMD's server lines with SEV-SNP, as the common name of each line's root says it (ARK-Milan, …). */
export const SNP_PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const
export type SnpProduct = (typeof SNP_PRODUCTS)[number]

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
