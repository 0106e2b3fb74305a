/** An honest proof whose bytes or statement were changed; every change must be refused, and bounded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Requantise } from '../src/circuit/architecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../src/circuit/encodeArchitecture.ts'
import { type Model, makeModel } from '../src/circuit/model.ts'
import type { Statement } from '../src/circuit/statement.ts'
import { P } from '../src/field/babyBear.ts'
import type { Ext } from '../src/field/extension.ts'
import * as ext from '../src/field/extension.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { verifyFractionTree } from '../src/lookup/verifyLookups.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifySumcheck } from '../src/sumcheck/verifySumcheck.ts'
import { ProofReader } from '../src/transcript/proofReader.ts'
import { encodeElements, ProofWriter } from '../src/transcript/proofWriter.ts'
import { Transcript } from '../src/transcript/transcript.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomInput, randomIntegers, smallPerceptron } from './support/models.ts'

const work = createWorkspace()
const model = smallPerceptron(3, [4, 6, 3])
const committed = commitModel(work, model)
const { architecture } = model.plan
const input = randomInput(1, 4)
const { output, proof } = proveInference(committed, input)
const statement: Statement = { weightsRoot: committed.commitment.root, input, output }

const refuses = (changed: Uint8Array, code: RegExp, name: string) =>
  assert.throws(
    () => verifyProof(architecture, statement, changed),
    (error) => error instanceof Error && code.test((error as Error & { code: string }).code),
    name,
  )

const word = (bytes: Uint8Array, at: number) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)

function withWord(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice()
  new DataView(changed.buffer).setUint32(at, value, true)
  return changed
}

/** About where the opened columns begin; what is spoken lies before. */
const spoken = Math.floor(proof.length * 0.25)

test('the honest proof verifies', () => {
  assert.equal(verifyProof(architecture, statement, proof).kind, 'validity')
})

test('every word of the spoken part, changed by one, is refused', () => {
  for (let at = 0; at + 4 <= spoken; at += 4) {
    const value = word(proof, at)
    refuses(
      withWord(proof, at, value === P - 1 ? 0 : value + 1),
      /malformed_proof|invalid_proof/,
      `word at ${at}`,
    )
  }
})

test('words of rows, columns and paths, changed, are refused', () => {
  for (let at = spoken - (spoken % 4); at + 4 <= proof.length; at += 4 * 37)
    refuses(
      withWord(proof, at, (word(proof, at) ^ 1) >>> 0),
      /malformed_proof|invalid_proof/,
      `word at ${at}`,
    )
})

test('an element written as x + p is refused: encodings are canonical', () => {
  let tried = 0
  // The root of the witness is the first 32 bytes; elements follow.
  for (let at = 32; at + 4 <= proof.length && tried < 300; at += 4) {
    if (word(proof, at) + P >= 2 ** 32) continue
    refuses(withWord(proof, at, word(proof, at) + P), /malformed_proof|invalid_proof/, `word at ${at}`)
    tried++
  }
  assert.equal(tried, 300)
  refuses(withWord(proof, 32, P), /malformed_proof/, 'p itself')
})

test('truncated and extended proofs are refused', () => {
  for (let length = 0; length < proof.length; length += 997)
    refuses(proof.slice(0, length), /malformed_proof|invalid_proof/, `${length}`)
  refuses(proof.slice(0, -1), /malformed_proof/, 'one byte short')
  const longer = new Uint8Array(proof.length + 1)
  longer.set(proof)
  refuses(longer, /malformed_proof/, 'one byte long')
  refuses(new Uint8Array(0), /malformed_proof/, 'empty')
})

test('a round left out, or said twice, is refused', () => {
  const round = 60
  for (let at = 32; at < 32 + 80 + 20 * round; at += round) {
    const without = new Uint8Array(proof.length - round)
    without.set(proof.subarray(0, at))
    without.set(proof.subarray(at + round), at)
    refuses(without, /malformed_proof|invalid_proof/, `without ${at}`)
    const twice = new Uint8Array(proof.length + round)
    twice.set(proof.subarray(0, at + round))
    twice.set(proof.subarray(at), at + round)
    refuses(twice, /malformed_proof|invalid_proof/, `twice ${at}`)
  }
})

test('sumcheck: a round of one degree more is refused', () => {
  const [halves, round, element] = [80, 60, 20]
  // After the root and the first halves come, layer by layer, k rounds and the next halves.
  let at = 32 + halves
  for (let layer = 1; layer < model.plan.leafBits; layer++) {
    for (let k = 0; k < layer; k++) {
      at += round
      const longer = new Uint8Array(proof.length + element)
      longer.set(proof.subarray(0, at))
      longer.set(proof.subarray(at), at + element)
      refuses(longer, /malformed_proof|invalid_proof/, `round ${k} of layer ${layer}`)
    }
    at += halves
  }
})

test('random bytes, and random blocks moved about, are refused', () => {
  const random = randomIntegers(99)
  for (let run = 0; run < 500; run++) {
    const changed = proof.slice()
    const kind = random(0, 2)
    const at = random(0, proof.length - 1)
    if (kind === 0) changed[at] = (changed[at] as number) ^ random(1, 255)
    else if (kind === 1) changed.copyWithin(at, random(0, proof.length - 1), random(0, proof.length))
    else for (let i = at; i < Math.min(at + 32, changed.length); i++) changed[i] = random(0, 255)
    if (changed.every((byte, i) => byte === proof[i])) continue
    refuses(changed, /malformed_proof|invalid_proof/, `run ${run}`)
  }
})

test('another statement is refused: every input, output and byte of the root', () => {
  const false_ = (changed: Partial<Statement>) =>
    assert.throws(() => verifyProof(architecture, { ...statement, ...changed }, proof), {
      code: 'invalid_proof',
    })
  for (const [at, value] of input.entries()) false_({ input: input.with(at, value === 127 ? 0 : value + 1) })
  for (const [at, value] of output.entries()) {
    false_({ output: output.with(at, value + 1) })
    false_({ output: output.with(at, -value - 1) })
  }
  for (const at of statement.weightsRoot.keys())
    false_({ weightsRoot: statement.weightsRoot.with(at, (statement.weightsRoot[at] as number) ^ 128) })
})

test('inputs and outputs outside their range are refused before anything is read', () => {
  for (const value of [128, -129, 0.5, Number.NaN, P, -P, 2 ** 31])
    assert.throws(() => verifyProof(architecture, { ...statement, input: input.with(0, value) }, proof), {
      code: 'bad_input',
    })
  const first = output[0] as number
  for (const value of [first + P, first - P])
    assert.throws(() => verifyProof(architecture, { ...statement, output: output.with(0, value) }, proof), {
      code: 'bad_input',
    })
  assert.throws(() => verifyProof(architecture, { ...statement, input: [...input, 0] }, proof), {
    code: 'bad_input',
  })
})

test('every scale, zero point and bound of the architecture is bound to the proof', () => {
  const { nodes } = architecture
  const changes: Partial<Requantise>[] = [
    { multiplier: 38 },
    { shift: 13 },
    { zeroPoint: -127 },
    { low: -127 },
    { high: 126 },
  ]
  for (const change of changes) {
    const changed = nodes.map((node, index) =>
      index === 0 && node.op === 'dense'
        ? { ...node, requantise: { ...node.requantise, ...change } as Requantise }
        : node,
    )
    assert.throws(() => verifyProof({ ...architecture, nodes: changed }, statement, proof), {
      name: 'ZkmlError',
    })
  }
  const other = { ...architecture, input: { ...architecture.input, zeroPoint: 4 } }
  assert.throws(() => verifyProof(other, statement, proof), { code: 'invalid_proof' })
})

/** The model with one weight or bias changed by one. */
function altered(node: number, kind: 'weights' | 'bias', at: number): Model {
  const parameters = model.parameters.map((own, index) => {
    if (own === undefined || index !== node) return own
    const copy = { weights: own.weights.slice(), bias: own.bias.slice() }
    const value = copy[kind][at] as number
    copy[kind][at] = value === 127 ? value - 1 : value + 1
    return copy
  })
  return makeModel(architecture, parameters)
}

test('every weight and bias changes the root, and proofs of the changed model are refused', () => {
  const roots = new Set([committed.commitment.root.join()])
  let count = 0
  for (const [node, own] of model.parameters.entries()) {
    for (const kind of ['weights', 'bias'] as const) {
      for (let at = 0; at < (own?.[kind].length ?? 0); at++) {
        const mark = work.arena.mark()
        const other = commitModel(work, altered(node, kind, at))
        roots.add(other.commitment.root.join())
        if (count % 10 === 0) {
          const forged = proveInference(other, input)
          const claimed = { weightsRoot: statement.weightsRoot, input, output: forged.output }
          assert.throws(() => verifyProof(architecture, claimed, forged.proof), { code: 'invalid_proof' })
        }
        work.arena.release(mark)
        count++
      }
    }
  }
  assert.equal(roots.size, count + 1)
})

test('another model’s valid proof, and another input’s, are refused', () => {
  const mark = work.arena.mark()
  const other = proveInference(commitModel(work, smallPerceptron(4, [4, 6, 3])), input)
  assert.throws(() => verifyProof(architecture, { ...statement, output: other.output }, other.proof), {
    code: 'invalid_proof',
  })
  const elsewhere = proveInference(committed, randomInput(2, 4))
  assert.throws(() => verifyProof(architecture, statement, elsewhere.proof), { code: 'invalid_proof' })
  work.arena.release(mark)
})

test('nonzero weights where padding must be zero give another root', () => {
  const layout = model.layout.slice()
  const blank = layout.lastIndexOf(0)
  layout[blank] = 1
  const mark = work.arena.mark()
  const { commitment } = commitModel(work, { ...model, layout })
  assert.notDeepEqual(commitment.root, committed.commitment.root)
  work.arena.release(mark)
})

test('sumcheck: a wrong final evaluation survives no check, though every round sums up', () => {
  // A prover that fits each round to a false claim ends in a claim about the last point, which is false with it.
  const [claim, lie]: [Ext, Ext] = [ext.fromBase(5), ext.fromBase(6)]
  const rounds = 3
  const writer = new ProofWriter(new Transcript('sumcheck'))
  for (let round = 0, left = lie; round < rounds; round++) {
    const polynomial: Ext[] = [left, ext.ZERO, ext.ZERO]
    writer.exts('round', polynomial)
    const x = writer.transcript.challenge('round')
    left = ext.mul(left, ext.sub(ext.ONE, x))
  }
  const reader = () => new ProofReader(writer.bytes(), new Transcript('sumcheck'))
  const { point, claim: last } = verifySumcheck(reader(), 'round', lie, rounds)
  // The true summand is 5 at the origin and 0 elsewhere.
  const truth = point.reduce((value, x) => ext.mul(value, ext.sub(ext.ONE, x)), claim)
  assert.notDeepEqual(last, truth)
  assert.throws(() => verifySumcheck(reader(), 'round', claim, rounds), { code: 'invalid_proof' })
})

test('LogUp: a zero denominator at the root is refused', () => {
  const halves = [ext.ZERO, ext.ZERO, ext.ZERO, ext.ONE]
  const reader = new ProofReader(encodeElements(halves.flat()), new Transcript('fractions'))
  assert.throws(() => verifyFractionTree(reader, 1), { code: 'invalid_proof', message: /zero denominator/ })
})

test('LogUp: no circuit has as many lookups as the field’s characteristic', () => {
  // A multiplicity is a field element: were there p lookups, it could stand for zero. The plan allows 2^26 leaves.
  assert.ok(2 ** 26 < P)
  assert.ok(model.plan.leafBits <= 26)
})

test('architectures have one encoding, and nothing else decodes', () => {
  const bytes = encodeArchitecture(architecture)
  assert.deepEqual(decodeArchitecture(bytes), architecture)
  for (let length = 0; length < bytes.length; length++)
    assert.throws(() => decodeArchitecture(bytes.slice(0, length)), { code: 'bad_architecture' })
  assert.throws(() => decodeArchitecture(Uint8Array.from([...bytes, 0, 0, 0, 0])), {
    code: 'bad_architecture',
  })
  const random = randomIntegers(5)
  for (let run = 0; run < 2000; run++) {
    const changed = bytes.slice()
    changed[random(0, bytes.length - 1)] = random(0, 255)
    try {
      assert.deepEqual(encodeArchitecture(decodeArchitecture(changed)), changed)
    } catch (error) {
      assert.equal((error as Error & { code?: string }).code, 'bad_architecture')
    }
  }
})
