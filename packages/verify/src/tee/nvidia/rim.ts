import { type Hex, isHex } from 'viem'

/** Golden values of one register: any of them is good. */
export type GoldenMeasurement = {
  /** Counted from 0, as in NVIDIA's RIM files. */
  index: number
  values: readonly Hex[]
}

/** RIM files have about 20 KB. */
const MAX_RIM_CHARACTERS = 262_144
const MAX_INDEX = 255

/**
 * Active measurements of an NVIDIA reference integrity manifest (a SWID tag with TCG's extensions). Reads values and
 * checks no signature: give it only a file whose hash was approved.
 * @throws Error
 */
export function readRim(xml: string): GoldenMeasurement[] {
  if (xml.length > MAX_RIM_CHARACTERS) throw new Error(`the manifest has ${xml.length} characters`)
  const found: GoldenMeasurement[] = []
  for (const [, text] of xml.matchAll(/<(?:\w{1,16}:)?Resource\s([^<>]*)>/g)) {
    const attributes = new Map<string, string>()
    for (const [, name, value] of (text as string).matchAll(/([\w:]{1,64})="([^"]*)"/g)) {
      attributes.set((name as string).replace(/^\w*:/, ''), value as string)
    }
    if (attributes.get('type') !== 'Measurement' || attributes.get('active') !== 'True') continue
    const index = Number(attributes.get('index'))
    const alternatives = Number(attributes.get('alternatives'))
    if (
      !Number.isInteger(index) ||
      index < 0 ||
      index > MAX_INDEX ||
      !(alternatives >= 1 && alternatives <= 64)
    ) {
      throw new Error('a measurement of the manifest is odd')
    }
    const values = Array.from({ length: alternatives }, (_, at): Hex => {
      const value = `0x${attributes.get(`Hash${at}`)?.toLowerCase()}`
      if (!isHex(value, { strict: true }) || value.length !== 98) {
        throw new Error(`measurement ${index} has no SHA-384 value ${at}`)
      }
      return value
    })
    found.push({ index, values })
  }
  if (found.length === 0) throw new Error('the manifest holds no measurements')
  return found
}
