/**
 * What a proof that hides gives away. A simulator that knows neither weights nor run makes proofs that the verifier takes;
 * and what an honest prover says is uniform for the reason that the simulator draws it uniformly, which is checked here
 * piece by piece: pads move what is said one to one, masks move the rows one to one, and the entries of opened columns have
 * as many free coefficients as there are of them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queriedColumns } from '../src/commitment/verifyOpening.ts'
import { inverse, mul, P, power, rootOfUnity } from '../src/field/babyBear.ts'
import type { Ext } from '../src/field/extension.ts'
import * as ext from '../src/field/extension.ts'
import { encodeMessage } from '../src/field/ntt.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitHidden } from '../src/prover/veil/commitHidden.ts'
import { type Randomness, seededRandomness } from '../src/prover/veil/randomness.ts'
import { padShape } from '../src/veil/padShape.ts'
import { veiledShape } from '../src/veil/shape.ts'
import { veilCircuit } from '../src/veil/statement.ts'
import { checkVeiledProof } from '../src/veil/verifyVeiled.ts'
import { randomInput } from './support/models.ts'
import { Coins, simulate } from './support/simulator.ts'
import { forgeVeiled, type Lie, rankOf, seedOf, tinyModel } from './support/veiled.ts'

const { architecture } = tinyModel.plan
const circuit = veilCircuit(architecture, 2)
const input = randomInput(1, 4)
const veiled = commitHidden(createWorkspace(), tinyModel, circuit, seededRandomness(seedOf(1)))
const coins = seedOf(50)

/** An honest proof to a verifier with fixed coins, under masks of which one purpose may be drawn otherwise. */
function proveWith(lie: Lie = {}) {
  return forgeVeiled(veiled, input, 0, { transcript: () => new Coins(coins), ...lie })
}

/** The prover's randomness but for one purpose. */
function except(purpose: string): Randomness {
  const [first, second] = [seededRandomness(seedOf(99)), seededRandomness(seedOf(98))]
  return (asked, count) => (asked === purpose ? second : first)(asked, count)
}

test('simulator: without weights and run it makes proofs that the verifier takes, for any output', () => {
  for (let seed = 0; seed < 3; seed++) {
    const statement = { input, output: randomInput(seed, 3), proofs: 2, use: seed % 2 }
    const made = simulate(circuit, statement, seedOf(60 + seed), seedOf(70 + seed))
    const { statement: about, proof } = made
    const { bits } = checkVeiledProof(circuit, about, proof, new Coins(seedOf(60 + seed)))
    assert.ok(bits >= 100)
    // The coins are all that it has over a liar: a verifier with others refuses.
    assert.throws(() => checkVeiledProof(circuit, about, proof, new Coins(seedOf(90))), { name: 'ZkmlError' })
  }
})

test('simulator: the same where the input is hidden, which it does not know either', () => {
  const hiding = veilCircuit(architecture, 2, true)
  const nothing = { input: { root: new Uint8Array(32) }, output: randomInput(5, 3), proofs: 2, use: 1 }
  const { statement, proof } = simulate(hiding, nothing, seedOf(65), seedOf(75))
  assert.ok(checkVeiledProof(hiding, statement, proof, new Coins(seedOf(65))).bits >= 100)
  const honest = proveWith({ hides: input })
  checkVeiledProof(hiding, honest.statement, honest.proof, new Coins(coins))
  const other = proveWith({ hides: input, transcript: () => new Coins(seedOf(65)) })
  assert.equal(proof.length, other.proof.length)
})

test('simulator: it says as many bytes as an honest prover does', () => {
  const { statement, proof } = proveWith()
  checkVeiledProof(circuit, statement, proof, new Coins(coins))
  assert.equal(simulate(circuit, statement, coins, seedOf(70)).proof.length, proof.length)
})

test('pads: what is said less its pad is the same whatever the pads are, and each pad is used once', () => {
  const meant = (lie: Lie) => {
    const { writer, elements } = proveWith(lie)
    assert.deepEqual(
      writer.padded,
      writer.meant.map((value, at) => ext.add(value, elements[at] as Ext)),
    )
    return writer.meant
  }
  const { said, late } = veiled.counts
  const first = meant({})
  assert.equal(first.length, said + late)
  assert.deepEqual(meant({ random: except('pads/pads') }), first)
  assert.deepEqual(meant({ random: except('pads/triples') }), first)
})

test('triples: f + a and g + b are the same whatever the triples are', () => {
  const sums = (lie: Lie) => {
    const shown: Ext[] = []
    const { elements } = proveWith({
      ...lie,
      heard: (label, values) => label === 'pads/shown' && shown.push(...values),
    })
    const { said, late } = veiled.counts
    return shown.map((value, at) => {
      const triple = said + late + 3 * Math.floor(at / 2)
      return ext.add(value, elements[triple + (at % 2)] as Ext)
    })
  }
  const first = sums({})
  assert.equal(first.length, 2 * veiled.counts.products)
  assert.deepEqual(sums({ random: except('pads/triples') }), first)
})

test('rows: a combined row less its mask is the same whatever the mask is', () => {
  for (const [label, purpose, dimension] of [
    ['witness/row', 'witness/masks', circuit.witness.dimension],
    ['pads/row', 'pads/mask', veiled.pads.dimension],
    ['pads/product', 'pads/product', veiled.pads.productDimension],
  ] as const) {
    const unmasked = (random: Randomness) => {
      const rows: Ext[] = []
      let mask = new Uint32Array()
      const watched: Randomness = (asked, count) => {
        const words = random(asked, count)
        if (asked === purpose) mask = words.slice()
        return words
      }
      proveWith({ random: watched, heard: (said, values) => said === label && rows.push(...values) })
      // Five rows of a mask lie one after another for the witness, and interleaved for the pads.
      const at = (entry: number, plane: number) =>
        mask[label === 'witness/row' ? plane * dimension + entry : 5 * entry + plane] as number
      return rows.map((value, entry) => value.map((x, plane) => (x + P - at(entry, plane)) % P))
    }
    const first = unmasked(seededRandomness(seedOf(99)))
    const second = unmasked(except(purpose))
    // Nobody may move the coefficient that carries the inner product, so its mask is left out.
    const carries = label === 'pads/product' ? 2 ** veiled.pads.valueBits - 1 : -1
    const differing = first.flatMap((value, entry) =>
      value.every((x, plane) => x === second[entry]?.[plane]) ? [] : [entry],
    )
    assert.equal(first.length, dimension)
    assert.deepEqual(
      differing.filter((entry) => entry !== carries),
      [],
      label,
    )
  }
})

test('columns: the opened entries of a row have full rank in its random coefficients, over all uses together', () => {
  const { values, matrix, dimension, openings } = circuit.weights
  const lengthBits = matrix.rowBits + matrix.blowupBits
  const opened = new Set(
    Array.from({ length: openings }, (_, use) =>
      queriedColumns(new Coins(seedOf(use)), 'weights', matrix),
    ).flat(),
  )
  const hidden = dimension - 2 ** values.rowBits
  assert.ok(opened.size > matrix.queries && opened.size <= hidden)
  // The codeword of each random coefficient alone, as the encoder that commits lists it.
  const codewords = Array.from({ length: hidden }, (_, at) => {
    const message = new Int32Array(2 ** matrix.rowBits)
    message[2 ** values.rowBits + at] = 1
    return encodeMessage(message, matrix.blowupBits)
  })
  const rows = [...opened].map((position) =>
    Uint32Array.from(codewords, (codeword) => codeword[position] as number),
  )
  assert.equal(rankOf(rows, { mul, inverse }), opened.size)
  // One column more than there are coefficients, and what is opened is no longer free.
  const powers = Array.from({ length: hidden + 1 }, (_, at) => {
    const x = power(rootOfUnity(lengthBits), at)
    return Uint32Array.from({ length: hidden }, (_, exponent) => power(x, 2 ** values.rowBits + exponent))
  })
  assert.equal(rankOf(powers, { mul, inverse }), hidden)
})

test('columns: at every size no more are opened than a row has random coefficients', () => {
  for (let length = 16; length <= 2 ** 26; length *= 3)
    for (const proofs of [1, 2, 7, 16, 64, 256]) {
      const { dimension, values, matrix, openings } = veiledShape(length, proofs)
      assert.equal(dimension - 2 ** values.rowBits, openings * matrix.queries)
      assert.ok(dimension <= 2 ** matrix.rowBits)
      assert.ok(values.rows * 2 ** values.rowBits >= length)
    }
  for (let count = 10; count < 200_000; count *= 2) {
    const { dimension, productDimension, valueBits, matrix } = padShape(count)
    assert.equal(dimension - 2 ** valueBits, matrix.queries)
    assert.ok(productDimension <= 2 ** matrix.rowBits)
  }
})
