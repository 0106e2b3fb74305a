/**
 * The chance that a false statement passes, from the parameters of this very proof: one term for each way to cheat, by
 * the union bound. docs/zkml.md derives each. The transcript makes the protocol non-interactive; the figure is what one
 * attempt gains, as is customary, and each further attempt costs the cheater a hash of its own.
 */
import type { Shape } from '../circuit/architecture.ts'
import { bitsOfAll, contractionOf, freeBits, ofKind, summedBlocks } from '../circuit/contraction.ts'
import type { Plan } from '../circuit/plan.ts'
import { type CommitmentShape, missPerQuery, openingBits } from '../commitment/shape.ts'
import { FIELD_BITS } from '../field/extension.ts'
import { unitsOf } from '../verifier/linear/units.ts'

export type SoundnessTerm = { name: string /** −log2 of the probability. */; bits: number }

export type Soundness = {
  /** −log2 of the sum of all terms. */ bits: number
  terms: readonly SoundnessTerm[]
}

/** −log2(count / |F|), less the transcript's deviation from uniform (a factor below 1.0001 a challenge). */
export const overField = (name: string, count: number): SoundnessTerm => ({
  name,
  bits: FIELD_BITS - Math.log2(Math.max(1, count)) - 0.001,
})

export function soundnessOf(plan: Plan): Soundness {
  return addUp([
    ...termsOfSteps(plan),
    ...commitmentTerms('witness', plan.witness),
    ...commitmentTerms('weights', plan.weights),
  ])
}

/** The union bound. */
export function addUp(terms: readonly SoundnessTerm[]): Soundness {
  const total = terms.reduce((sum, { bits }) => sum + 2 ** -bits, 0)
  return { bits: -Math.log2(total), terms }
}

/** Every way to cheat before the openings. */
export function termsOfSteps(plan: Plan): SoundnessTerm[] {
  const leaves = 2 ** plan.leafBits
  const { leafBits } = plan
  const linearRounds = plan.nodes.reduce((rounds, planned) => {
    const { node, weights } = planned
    const input = 'input' in node ? (plan.values[plan.tensorValues[node.input] ?? 0]?.bits ?? 0) : 0
    const groups = node.op === 'conv2d' ? unitsOf(planned, []).groupBits : 0
    return rounds + (weights?.lowBits ?? 0) + groups + (node.op === 'dense' ? 0 : input)
  }, 0)
  const { rounds, claims } = contractedRounds(plan)
  const windows = plan.nodes.reduce((sum, { windows }) => sum + windows.length, 0)
  const columnClaims = plan.values.length + plan.nodes.length + claims
  return [
    // The cross-multiplied fractions are a polynomial in α and β of total degree below 2·leaves.
    overField('lookups: fractions agree by chance', 2 * leaves),
    // Layer k: k rounds of degree 3, one challenge to combine the two claims, one to choose between the halves.
    overField('lookups: layers of the fraction tree', (3 * leafBits * (leafBits - 1)) / 2 + 2 * leafBits),
    // The row is random: each node's identity is a multilinear in at most leafBits variables.
    overField('linear: identities at a random row', plan.nodes.length * leafBits),
    overField('linear: sumchecks of products and windows', 2 * linearRounds),
    // A shared index adds eq's factor to a round, of degree 3 then.
    overField('linear: sumchecks of contractions', 3 * rounds),
    overField('linear: views of max-pooling windows', windows),
    overField('columns: claims combined', columnClaims + 2 * openingBits(plan.witness)),
    overField('weights: claims combined', plan.weightBlocks.length + 2 * openingBits(plan.weights)),
  ]
}

/** Rounds of all contractions, and claims that they and broadcast terms leave. */
function contractedRounds(plan: Plan): { rounds: number; claims: number } {
  let [rounds, claims] = [0, 0]
  for (const { node } of plan.nodes) {
    if (node.op === 'combine') claims += node.terms.length
    if (node.op !== 'contract') continue
    const shape = (input: number) => plan.tensors[input] as Shape
    const contraction = contractionOf(node, shape(node.left.input), shape(node.right.input))
    const shared = bitsOfAll(contraction, ofKind(contraction, 'shared'))
    const blocks = summedBlocks(contraction)
    rounds += blocks.reduce((sum, block) => sum + shared + freeBits(block), 0)
    claims += 2 * blocks.length
  }
  return { rounds, claims }
}

function commitmentTerms(name: string, shape: CommitmentShape): SoundnessTerm[] {
  const { rows, rowBits, blowupBits, queries } = shape
  const folds = Math.max(1, Math.ceil(Math.log2(rows)))
  return [
    // A tensor combination of a word far from the code is close to it (Diamond–Posen 2023/630, on BCIKS 2020/654).
    overField(`${name}: combination hides a distant word`, 2 * folds * 2 ** (rowBits + blowupBits)),
    {
      name: `${name}: ${queries} columns miss a lie`,
      bits: -queries * Math.log2(missPerQuery(2 ** rowBits, 2 ** (rowBits + blowupBits))),
    },
  ]
}
