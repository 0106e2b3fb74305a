/**
 * Judges a tape that somebody else made: gate by gate as the contract does (contracts/src/faults/ZkGates.sol). Whoever
 * verifies a proof records its own tape and needs none of this; it is for one of which only the words are known.
 */

import { utf8ToBytes } from '@noble/hashes/utils.js'
import { keccak256 } from '#keccak'
import { PROTOCOL, taggedTensor } from '../circuit/statement.ts'
import { hashLeaf, hashNode } from '../commitment/merkle.ts'
import { fromInteger, isCanonical, power, rootOfUnity } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { ModelCard } from '../files/modelCard.ts'
import { encodeElements } from '../transcript/proofWriter.ts'
import { absorbed, challengeOf, squeezed } from '../transcript/transcript.ts'
import { decodeGate } from './gates.ts'
import { dot, horner, LANES, reversed } from './recordColumns.ts'
import { writeExt } from './recorder.ts'

export type JudgedBy = Pick<ModelCard, 'modelRoot' | 'weightsRoot'> & {
  /** Whether the receipt was signed for these hashes of input and output. */
  signed: (inputHash: Uint8Array, outputHash: Uint8Array) => boolean
}

/**
 * The first gate that does not hold, if there is one: what it reads is well formed then, since all gates before it hold.
 * @param program gates, 32 bytes each
 * @param tape their values, or more
 */
export function firstViolated(program: Uint8Array, tape: Uint8Array, by: JudgedBy): number | undefined {
  for (let gate = 0; gate < program.length / 32; gate++) if (!holds(program, tape, gate, by)) return gate
  return undefined
}

function holds(program: Uint8Array, tape: Uint8Array, at: number, by: JudgedBy): boolean {
  const word = program.subarray(32 * at, 32 * at + 32)
  const { gate, a, b, n, m, c, d, label } = decodeGate(word)
  const words = (first: number, count: number) => tape.subarray(32 * first, 32 * (first + count))
  const elements = (first: number, count: number) =>
    Array.from({ length: count }, (_, i) => extOf(words(first + i, 1)))
  const value = words(at, 1)
  const is = (wanted: Uint8Array) => same(value, wanted)
  const isExt = (wanted: Ext) => is(wordOf(wanted))
  switch (gate) {
    case 'none':
    case 'word':
      return true
    case 'start':
      return is(keccak256(utf8ToBytes(PROTOCOL)))
    case 'model':
      return is(by.modelRoot)
    case 'weights':
      return is(by.weightsRoot)
    case 'element':
      return same(value, wordOf(extOf(value))) && extOf(value).every(isCanonical)
    case 'bases':
      return lanesOf(value, LANES).every((lane, i) => (i < n ? isCanonical(lane) : lane === 0))
    case 'integers':
      return integersOf(value, LANES).every((lane, i) => (i < n ? lane >= c && lane <= (d | 0) : lane === 0))
    case 'constant':
      return isExt(extOf(word))
    case 'copy':
      return is(words(a, 1))
    case 'statement':
      return by.signed(words(a, 1), words(b, 1))
    case 'tensor':
      return same(words(a, 1), taggedTensor(false, words(b, n).subarray(0, 4 * c)))
    case 'tensorPiece':
      return is(keccak256(words(b, n).subarray(0, 4 * c)))
    case 'longTensor':
      return same(words(a, 1), taggedTensor(true, words(b, n)))
    case 'absorbWord':
      return is(absorbed(words(a, 1), false, label, words(b, 1)))
    case 'absorb':
      return is(absorbed(words(a, 1), false, label, bytesOf(elements(b, n))))
    case 'piece':
      return is(keccak256(bytesOf(elements(b, n))))
    case 'absorbLong':
      return is(absorbed(words(a, 1), true, label, words(b, n)))
    case 'squeeze':
      return is(squeezed(words(a, 1), label))
    case 'challenge':
      return isExt(challengeOf(words(a, 1)))
    case 'index':
      return is(numberWord((lanesOf(words(a, 1), LANES)[n] as number) % 2 ** m))
    case 'add':
      return isExt(ext.add(extOf(words(a, 1)), extOf(words(b, 1))))
    case 'subtract':
      return isExt(ext.sub(extOf(words(a, 1)), extOf(words(b, 1))))
    case 'multiply':
      return isExt(ext.mul(extOf(words(a, 1)), extOf(words(b, 1))))
    case 'scale':
      return isExt(ext.scale(extOf(words(a, 1)), c >>> 0))
    case 'equal':
      return same(words(a, 1), words(b, 1))
    case 'differ':
      return !same(words(a, 1), words(b, 1))
    case 'dotBases':
      return isExt(dot(lanesOf(words(a, Math.ceil(n / LANES)), n), elements(b, n)))
    case 'dotIntegers': {
      const integers = integersOf(words(a, Math.ceil(n / LANES)), n)
      const factors = integers.map((integer) => fromInteger(integer - c))
      return isExt(dot(factors, elements(b, n)))
    }
    case 'root':
      return isExt(ext.fromBase(power(rootOfUnity(m), reversed(numberOf(words(a, 1)), m))))
    case 'powers':
      return isExt(horner(elements(b, n), extOf(words(a, 1))[0]))
    case 'opening': {
      const index = numberOf(words(a, 1))
      let node = hashLeaf(encodeElements(Uint32Array.from(lanesOf(words(b, Math.ceil(n / LANES)), n))))
      for (let height = 0; height < m; height++) {
        const sibling = words(c + height, 1)
        const left = Math.floor(index / 2 ** height) % 2 === 0
        node = left ? hashNode(node, sibling) : hashNode(sibling, node)
      }
      return same(node, words(d, 1))
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, at) => byte === b[at])
}

/** Four bytes each, the first highest. */
function lanesOf(words: Uint8Array, count: number): number[] {
  const view = new DataView(words.buffer, words.byteOffset, words.length)
  return Array.from({ length: count }, (_, lane) => view.getUint32(4 * lane))
}

function integersOf(words: Uint8Array, count: number): number[] {
  return lanesOf(words, count).map((lane) => lane | 0)
}

function extOf(word: Uint8Array): Ext {
  return lanesOf(word.subarray(12), 5) as unknown as Ext
}

function wordOf(value: Ext): Uint8Array {
  const word = new Uint8Array(32)
  writeExt(word, value)
  return word
}

function numberOf(word: Uint8Array): number {
  return lanesOf(word.subarray(28), 1)[0] as number
}

function numberWord(value: number): Uint8Array {
  return wordOf([0, 0, 0, 0, value])
}

/** How a proof holds elements. */
function bytesOf(elements: readonly Ext[]): Uint8Array {
  return encodeElements(Uint32Array.from(elements.flat()))
}
