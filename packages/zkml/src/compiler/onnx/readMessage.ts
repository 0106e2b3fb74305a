/** Protobuf messages field by field, over the kept reader of @bufbuild/protobuf, which refuses to read past an end. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { ZkmlError } from '../../errors.ts'
import { ONNX_LIMITS } from './onnxModel.ts'

export function badOnnx(message: string, facts: Record<string, unknown> = {}, next?: string): never {
  throw new ZkmlError('bad_onnx', message, facts, next)
}

/** One field of a message, in the form in which it was written. */
export class Field {
  readonly number: number
  readonly #reader: BinaryReader
  readonly #wire: WireType

  constructor(number: number, wire: WireType, reader: BinaryReader) {
    this.number = number
    this.#wire = wire
    this.#reader = reader
  }

  #expect(wire: WireType): BinaryReader {
    if (this.#wire !== wire) badOnnx('a field is of the wrong wire type', { field: this.number })
    return this.#reader
  }

  bytes(): Uint8Array {
    return this.#expect(WireType.LengthDelimited).bytes()
  }

  text(): string {
    const bytes = this.bytes()
    if (bytes.length > ONNX_LIMITS.nameBytes)
      badOnnx(`a name has more than ${ONNX_LIMITS.nameBytes} bytes`, { bytes: bytes.length })
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      return badOnnx('a name is not UTF-8')
    }
  }

  integer(): number {
    return exact(this.#expect(WireType.Varint).int64())
  }

  float(): number {
    return this.#expect(WireType.Bit32).float()
  }

  /** A repeated number, packed or not, appended to `list`. */
  numbers(list: number[], form: 'int64' | 'float' | 'double', limit: number): void {
    const single = { int64: WireType.Varint, float: WireType.Bit32, double: WireType.Bit64 }[form]
    const read = (reader: BinaryReader) => (form === 'int64' ? exact(reader.int64()) : reader[form]())
    if (this.#wire === single) list.push(read(this.#reader))
    else {
      const packed = new BinaryReader(this.bytes())
      while (packed.pos < packed.len && list.length <= limit) list.push(read(packed))
    }
    if (list.length > limit) badOnnx('a list is too long', { field: this.number, limit })
  }

  skip(): void {
    this.#reader.skip(this.#wire, this.number, 16)
  }
}

function exact(value: bigint | string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) badOnnx('an integer is too large', { value: String(value) })
  return number
}

/** Calls `visit` for every field; one that it does not take is skipped. @throws ZkmlError bad_onnx */
export function readMessage(bytes: Uint8Array, visit: (field: Field) => boolean): void {
  const reader = new BinaryReader(bytes)
  try {
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag()
      const field = new Field(number, wire, reader)
      if (!visit(field)) field.skip()
    }
  } catch (cause) {
    if (cause instanceof ZkmlError) throw cause
    // The reader's own errors: premature end, an illegal tag, an invalid varint.
    badOnnx('the bytes are no protobuf message', { cause: cause instanceof Error ? cause.message : cause })
  }
}
