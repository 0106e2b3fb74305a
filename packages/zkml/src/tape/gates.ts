/**
 * Gates: the smallest steps of a verification (docs/zkml.md, "On chain: fault 2"). Gate k says what value k of a tape must
 * be, given values before it, or what must hold of those. A gate is one word of 32 bytes and is judged alone
 * (contracts/src/faults/ZkGates.sol, which numbers them alike).
 */

/** What a gate does; `run` stands for values that follow each other, from one that their number divides. */
export const GATE = {
  /** Fills up to the start of a run: says nothing. */
  none: 0,
  /** What the protocol's name hashes to: the transcript before anything is said. */
  start: 1,
  /** The model's root. */
  model: 2,
  /** The root of its weights. */
  weights: 3,
  /** Any 32 bytes. */
  word: 4,
  /** An element of the extension, stated by the prover: canonical. */
  element: 5,
  /** `n` elements of the base field, canonical, four bytes each. */
  bases: 6,
  /** `n` integers within c..d, four bytes each. */
  integers: 7,
  /** The constant. */
  constant: 8,
  /** Value a once more, where a run needs it. */
  copy: 9,
  /** Values a and b are the hashes of the tensors that the receipt was signed for. */
  statement: 10,
  /** Value a is the hash of the c integers of the n words of run b. */
  tensor: 11,
  /** Hash of the c integers of the n words of run b: a piece of a longer tensor. */
  tensorPiece: 12,
  /** Value a is the hash of a tensor whose pieces' hashes are the n values of run b. */
  longTensor: 13,
  /** Transcript a after the 32 bytes of value b. */
  absorbWord: 14,
  /** Transcript a after the n elements of run b. */
  absorb: 15,
  /** Hash of the n elements of run b: a piece of a longer item. */
  piece: 16,
  /** Transcript a after an item whose pieces' hashes are the n values of run b. */
  absorbLong: 17,
  /** Transcript a after randomness was drawn from it. */
  squeeze: 18,
  /** The challenge that transcript a gives. */
  challenge: 19,
  /** The index below 2^m that word n of transcript a gives. */
  index: 20,
  add: 21,
  subtract: 22,
  multiply: 23,
  /** Value a times the element c of the base field. */
  scale: 24,
  /** Values a and b are the same. */
  equal: 25,
  /** They are not. */
  differ: 26,
  /** Σ of n elements of the base field, run a, times those of run b. */
  dotBases: 27,
  /** Σ of n integers less c, run a, times the elements of run b. */
  dotIntegers: 28,
  /** The root of unity at which a codeword's position, value a, of 2^m, is. */
  root: 29,
  /** Σ over the n elements of run b of element j times a^j. */
  powers: 30,
  /** A column of n elements, run b, stands at index a of the tree under root d; its m siblings are run c. */
  opening: 31,
} as const
export type Gate = keyof typeof GATE

/** Values that one gate reads in a run, at most. */
export const RUN = 128

/** Members of a gate that are not zero. */
export type GateMembers = {
  a?: number
  b?: number
  n?: number
  m?: number
  c?: number
  d?: number
  label?: string
}

/**
 * op(1) ‖ a(4) ‖ b(4) ‖ n(2) ‖ m(1) ‖ c(4) ‖ d(4) ‖ 0(12); a label stands as length(1) ‖ bytes(19) in place of c and what
 * follows, a constant as five words of 4 bytes.
 */
export function encodeGate(gate: Gate, members: GateMembers, word: Uint8Array): void {
  const { a = 0, b = 0, n = 0, m = 0, c = 0, d = 0, label } = members
  const view = new DataView(word.buffer, word.byteOffset, 32)
  view.setUint8(0, GATE[gate])
  view.setUint32(1, a)
  view.setUint32(5, b)
  view.setUint16(9, n)
  view.setUint8(11, m)
  if (label === undefined) {
    view.setInt32(12, c | 0)
    view.setInt32(16, d | 0)
    return
  }
  if (label.length > 19) throw new RangeError(`a gate has no room for the label ${label}`)
  view.setUint8(12, label.length)
  for (let at = 0; at < label.length; at++) view.setUint8(13 + at, label.charCodeAt(at))
}

const NAMES = new Map(Object.entries(GATE).map(([name, op]) => [op as number, name as Gate]))

export function gateName(word: Uint8Array): Gate {
  return NAMES.get(word[0] as number) ?? 'none'
}

/** The members of a gate; those that it has not are whatever stands in their place. */
export function decodeGate(word: Uint8Array): { gate: Gate } & Required<GateMembers> {
  const view = new DataView(word.buffer, word.byteOffset, 32)
  const length = view.getUint8(12)
  return {
    gate: gateName(word),
    a: view.getUint32(1),
    b: view.getUint32(5),
    n: view.getUint16(9),
    m: view.getUint8(11),
    c: view.getInt32(12),
    d: view.getUint32(16),
    label: String.fromCharCode(...word.subarray(13, 13 + length)),
  }
}
