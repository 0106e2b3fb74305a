/** One gate of a recorded verification, with everything that it is judged by. */
import { decodeGate } from './gates.ts'
import { LANES } from './recordColumns.ts'
import { type ShownRun, showRun, type WordTree } from './wordTree.ts'

export type ShownStep = {
  gate: number
  shownGate: ShownRun
  shownValue: ShownRun
  /** What the gate reads of the tape, in the order of its members. */
  reads: ShownRun[]
}

/** @param program and `tape` as the trees of their words */
export function showStep(program: WordTree, tape: WordTree, gate: number): ShownStep {
  const shownGate = showRun(program, gate, 1)
  return {
    gate,
    shownGate,
    shownValue: showRun(tape, gate, 1),
    reads: readsOf(shownGate.words).map(([first, count]) => showRun(tape, first, count)),
  }
}

/** What a gate reads: first value and number of each run. */
function readsOf(word: Uint8Array): [first: number, count: number][] {
  const { gate, a, b, c, d, n, m } = decodeGate(word)
  const words = Math.ceil(n / LANES)
  switch (gate) {
    case 'none':
    case 'start':
    case 'model':
    case 'weights':
    case 'word':
    case 'element':
    case 'bases':
    case 'integers':
    case 'constant':
      return []
    case 'copy':
    case 'squeeze':
    case 'challenge':
    case 'index':
    case 'scale':
    case 'root':
      return [[a, 1]]
    case 'tensorPiece':
    case 'piece':
      return [[b, n]]
    case 'tensor':
    case 'longTensor':
    case 'absorb':
    case 'absorbLong':
    case 'powers':
      return [
        [a, 1],
        [b, n],
      ]
    case 'dotBases':
    case 'dotIntegers':
      return [
        [a, words],
        [b, n],
      ]
    case 'opening':
      return [
        [a, 1],
        [b, words],
        [c, m],
        [d, 1],
      ]
    case 'statement':
    case 'absorbWord':
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'equal':
    case 'differ':
      return [
        [a, 1],
        [b, 1],
      ]
  }
}
