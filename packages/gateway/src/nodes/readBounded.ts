/** Reads a body up to a bound. @throws RangeError when it is longer */
export async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw new RangeError(`The body is longer than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  const [first] = chunks
  // Most answers come in one piece, which needs no copy.
  if (chunks.length === 1 && Buffer.isBuffer(first)) return first
  return Buffer.concat(chunks)
}
