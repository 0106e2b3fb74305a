/** A writer of DER for tests, which can write certificates that no ordinary generator would. */

function head(tag: number, length: number): number[] {
  if (length < 0x80) return [tag, length]
  if (length < 0x100) return [tag, 0x81, length]
  return [tag, 0x82, length >> 8, length & 0xff]
}

export function der(tag: number, ...contents: (Uint8Array | readonly number[])[]): Uint8Array {
  const content = contents.flatMap((part) => [...part])
  return Uint8Array.from([...head(tag, content.length), ...content])
}

export const sequence = (...parts: Uint8Array[]): Uint8Array => der(0x30, ...parts)
export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replace(/^0x/, ''), 'hex'))

/** INTEGER of a non-negative number. */
export function integer(value: number | bigint): Uint8Array {
  const hex = value.toString(16)
  const bytes = fromHex(hex.padStart(hex.length + (hex.length % 2), '0'))
  return (bytes[0] as number) >= 0x80 ? der(2, [0], bytes) : der(2, bytes)
}

export function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const digits = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return der(6, bytes)
}

/** Time as RFC 5280 §4.1.2.5 wants it: two-digit years until 2049. */
export function time(seconds: number): Uint8Array {
  const text = `${new Date(seconds * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  const short = text < '2050'
  return der(short ? 0x17 : 0x18, Buffer.from(short ? text.slice(2) : text))
}

/** Name of these attributes, each its type's OID and a UTF8String. */
export function nameOf(attributes: readonly (readonly [type: string, value: string])[]): Uint8Array {
  return sequence(
    ...attributes.map(([type, value]) => der(0x31, sequence(oid(type), der(0x0c, Buffer.from(value))))),
  )
}

/** Name of one common name. */
export const named = (commonName: string): Uint8Array => nameOf([['2.5.4.3', commonName]])

export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [der(1, [0xff])] : []), der(4, value))
}
