import { bytesToHex, type Hex, hexToBytes } from 'viem'
import { DerError, expectTag, readChildren, readDer, TAG } from './der.ts'

const COMMON_NAME = '0x550403'
/** UTF8String and PrintableString, the two forms of RFC 5280 §4.1.2.4. */
const STRINGS = [0x0c, 0x13]

/** The common name in the DER of a Name, undefined where there is none or more than one. @throws DerError */
export function commonNameOf(name: Hex): string | undefined {
  const found: string[] = []
  for (const relative of readChildren(readDer(hexToBytes(name), TAG.sequence))) {
    for (const attribute of readChildren(expectTag(relative, TAG.set, 'relative name'))) {
      const [type, value] = readChildren(expectTag(attribute, TAG.sequence, 'attribute'))
      if (bytesToHex(expectTag(type, TAG.oid, 'attribute type').content) !== COMMON_NAME) continue
      if (value === undefined || !STRINGS.includes(value.tag))
        throw new DerError('common name of another form')
      found.push(new TextDecoder().decode(value.content))
    }
  }
  return found.length === 1 ? found[0] : undefined
}
