/** Transcripts that forget, delay or reorder what they absorb: no forgery by one is accepted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelRootOf, PROTOCOL, type Statement, tensorHash } from '../src/circuit/statement.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel } from '../src/prover/prove.ts'
import { Transcript } from '../src/transcript/transcript.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, smallPerceptron } from './support/models.ts'

const model = smallPerceptron(3, [4, 6, 3])
const committed = commitModel(createWorkspace(), model)
const input = randomInput(1, 4)

/** A transcript that forgets one label, or absorbs under another protocol. */
class OtherTranscript extends Transcript {
  readonly #forgotten: string | undefined

  constructor(protocol: string, forgotten?: string) {
    super(protocol)
    this.#forgotten = forgotten
  }

  override absorb(label: string, data: Uint8Array): void {
    if (label !== this.#forgotten) super.absorb(label, data)
  }
}

/** A transcript that absorbs one label's items only behind what comes next. */
class LateTranscript extends Transcript {
  readonly #late: string
  #held: Uint8Array[] = []

  constructor(protocol: string, late: string) {
    super(protocol)
    this.#late = late
  }

  override absorb(label: string, data: Uint8Array): void {
    if (label === this.#late) this.#held.push(data)
    else {
      super.absorb(label, data)
      for (const held of this.#held.splice(0)) super.absorb(this.#late, held)
    }
  }
}

const SPOKEN_LABELS = [
  'witness',
  'fractions/halves',
  'fractions/round',
  'columns',
  'linear/bias',
  'linear/product',
  'linear/factors',
  'columns/round',
  'columns/value',
  'weights/round',
  'weights/value',
  'witness/row',
  'weights/row',
]

function openStatement(transcript: Transcript, weightsRoot: Uint8Array, claimed: ArrayLike<number>): void {
  transcript.absorb('model', modelRootOf(model.plan, weightsRoot))
  transcript.absorb('input', tensorHash(input))
  transcript.absorb('output', tensorHash(claimed))
}

test('Fiat–Shamir: an item absorbed behind the one that follows it is refused', () => {
  for (const label of ['model', 'input', 'output', ...SPOKEN_LABELS]) {
    const forgery = forge(committed, input, {
      transcript: ({ weightsRoot, output: claimed }) => {
        const transcript = new LateTranscript(PROTOCOL, label)
        openStatement(transcript, weightsRoot, claimed)
        return transcript
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined, label)
  }
})

test('Fiat–Shamir: an item that the prover’s challenges do not depend on is refused', () => {
  for (const label of ['model', 'input', 'output', ...SPOKEN_LABELS]) {
    const forgery = forge(committed, input, {
      transcript: ({ weightsRoot, output: claimed }) => {
        const transcript = new OtherTranscript(PROTOCOL, label)
        openStatement(transcript, weightsRoot, claimed)
        return transcript
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined, label)
  }
})

test('Fiat–Shamir: reordered statements and other protocols are refused; the true order is accepted', () => {
  const forgeWith = (open: (statement: Statement) => Transcript) =>
    refusal(committed, forge(committed, input, { transcript: open }))
  const honest = forgeWith(({ weightsRoot, output: claimed }) => {
    const transcript = new Transcript(PROTOCOL)
    openStatement(transcript, weightsRoot, claimed)
    return transcript
  })
  assert.equal(honest, undefined)
  const replayed = forgeWith(({ weightsRoot, output: claimed }) => {
    const transcript = new Transcript('assay/zkml/v1')
    openStatement(transcript, weightsRoot, claimed)
    return transcript
  })
  assert.notEqual(replayed, undefined)
  const reordered = forgeWith(({ weightsRoot, output: claimed }) => {
    const transcript = new Transcript(PROTOCOL)
    transcript.absorb('input', tensorHash(input))
    transcript.absorb('model', modelRootOf(model.plan, weightsRoot))
    transcript.absorb('output', tensorHash(claimed))
    return transcript
  })
  assert.notEqual(reordered, undefined)
})

test('Fiat–Shamir: no two ways to cut the same bytes give one transcript', () => {
  const cut = (items: [string, number[]][]) => {
    const transcript = new Transcript('test')
    for (const [label, data] of items) transcript.absorb(label, Uint8Array.from(data))
    return transcript.challenge('c').join()
  }
  const challenges = [
    cut([['ab', [1, 2]]]),
    cut([['a', [98, 1, 2]]]),
    cut([
      ['ab', [1]],
      ['', [2]],
    ]),
    cut([
      ['ab', [1]],
      ['ab', [2]],
    ]),
    cut([
      ['ab', [1, 2]],
      ['', []],
    ]),
    cut([['', [97, 98, 1, 2]]]),
  ]
  assert.equal(new Set(challenges).size, challenges.length)
})
