/** What is written down of a verification: one program a model, and on the tape of a proof a false gate if it is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gateName } from '../src/tape/gates.ts'
import { firstViolated } from '../src/tape/judgeTape.ts'
import { programOf, recordProof, tapeRoot } from '../src/tape/recordProof.ts'
import { showRun, wordTree } from '../src/tape/wordTree.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { cardOfSubject } from './support/cards.ts'
import { randomIntegers } from './support/models.ts'
import { mutantsOf, refusalOf, type Subject, tinySubjects } from './support/mutants.ts'

const record = ({ architecture, statement }: Subject, proof: Uint8Array) =>
  recordProof({ architecture, weightsRoot: statement.weightsRoot }, statement, proof)

for (const [at, subject] of tinySubjects(1).entries()) {
  test(`a circuit has one program, whatever is proved: ${subject.name}`, () => {
    const honest = record(subject, subject.proof)
    assert.deepEqual(honest.violated, [])
    const { root, gates } = programOf(cardOfSubject(subject))
    assert.deepEqual(tapeRoot(honest.program), root)
    assert.equal(honest.tape.length, 32 * gates)
    // Another statement about weights that are other constants in no gate.
    const other = tinySubjects(2)[at] as Subject
    const asked = { ...other.statement, weightsRoot: subject.statement.weightsRoot }
    assert.deepEqual(record({ ...other, statement: asked }, other.proof).program, honest.program)
  })

  test(`what the verifier refuses has a gate that does not hold, what it takes has none: ${subject.name}`, () => {
    const { length } = record(subject, subject.proof).program
    for (const mutant of mutantsOf(subject, 20, 5)) {
      // A tape is of a proof of the right length: what is missing is zero, what is left over is no part of it.
      const proof = new Uint8Array(subject.proof.length)
      proof.set(mutant.subarray(0, proof.length))
      const refused = refusalOf(subject, proof) !== undefined
      const { violated, program } = record(subject, mutant)
      assert.equal(violated.length > 0, refused)
      assert.equal(program.length, length)
    }
  })
}

for (const subject of tinySubjects(1)) {
  const judge = (program: Uint8Array, tape: Uint8Array) =>
    firstViolated(program, tape, { ...cardOfSubject(subject), signed: () => true })

  test(`a tape of which only the words are known is judged as it was recorded: ${subject.name}`, () => {
    for (const mutant of mutantsOf(subject, 10, 7)) {
      const { violated, program, tape } = record(subject, mutant)
      assert.equal(judge(program, tape), violated.length === 0 ? undefined : Math.min(...violated))
    }
  })

  test(`whatever follows from other values is false with another value: ${subject.name}`, () => {
    const { program, tape } = record(subject, subject.proof)
    assert.equal(judge(program, tape), undefined)
    const random = randomIntegers(8)
    for (let time = 0; time < 15; time++) {
      const gate = random(0, program.length / 32 - 1)
      const name = gateName(program.subarray(32 * gate, 32 * gate + 32))
      const changed = tape.slice()
      changed[32 * gate + random(0, 31)] = 255
      if (changed.every((byte, at) => byte === tape[at])) continue
      const found = judge(program, changed)
      // What is stated may be anything; then what follows from it is false. What says nothing is read by nobody.
      if (name === 'none' || CHECKS.has(name)) assert.equal(found, undefined, name)
      else if (!STATED.has(name)) assert.equal(found, gate, name)
    }
  })
}

/** Gates whose values the prover states, and checks, which have none. */
const STATED = new Set(['word', 'element', 'bases', 'integers'])
const CHECKS = new Set(['statement', 'tensor', 'longTensor', 'equal', 'differ', 'opening'])

test('a verification that is not recorded tells nobody', () => {
  const [subject] = tinySubjects(3) as [Subject]
  record(subject, new Uint8Array())
  const flipped = subject.proof.slice()
  flipped[40] = (flipped[40] as number) ^ 1
  verifyProof(subject.architecture, subject.statement, subject.proof)
  assert.notEqual(refusalOf(subject, flipped), undefined)
})

test('runs are shown under one root, and only where they begin at a multiple of their length', () => {
  const words = Uint8Array.from({ length: 32 * 11 }, (_, at) => at % 251)
  const levels = wordTree(words)
  assert.equal(levels.length, 5)
  assert.equal(showRun(levels, 4, 3).words.length, 128)
  assert.equal(showRun(levels, 4, 3).siblings.length, 2)
  assert.throws(() => showRun(levels, 2, 3), /no run of 3 begins at 2/)
})
