/**
 * The simulator of proofs that hide: it knows the circuit, the statement and the verifier's coins, but neither weights nor
 * a run, and makes conversations that the verifier accepts. It draws uniformly what an honest prover says uniformly, and
 * solves for the masks' entries in the opened columns, which nobody else fixes. Leaves that are not opened are random: to
 * whoever does not ask for the hash of their 124 bits of salt, a salted leaf is.
 */
import { shake256 } from '@noble/hashes/sha3.js'
import { hashLeaf, hashNode, siblingsOf } from '../../src/commitment/merkle.ts'
import type { CommitmentShape } from '../../src/commitment/shape.ts'
import { combineColumn, extensionEncodeAt, queriedColumns } from '../../src/commitment/verifyOpening.ts'
import * as ext from '../../src/field/extension.ts'
import { DEGREE, type Ext } from '../../src/field/extension.ts'
import { seededRandomness } from '../../src/prover/veil/randomness.ts'
import { encodeElements } from '../../src/transcript/proofWriter.ts'
import { Transcript } from '../../src/transcript/transcript.ts'
import { combineConstraints, committedCount } from '../../src/veil/constraints.ts'
import { hear } from '../../src/veil/conversation.ts'
import { padShape } from '../../src/veil/padShape.ts'
import type { VeiledCircuit, VeiledStatement } from '../../src/veil/statement.ts'
import { countsOf, Trace } from '../../src/veil/trace.ts'
import { VeiledReader } from '../../src/veil/veiledReader.ts'
import { weightRows } from '../../src/veil/verifyPads.ts'
import { filledUp } from '../../src/veil/verifyRow.ts'

/** An honest verifier's coins: what it asks does not depend on what it hears, only on how often it has asked for it. */
export class Coins extends Transcript {
  readonly #seed: Uint8Array
  readonly #asked = new Map<string, number>()

  constructor(seed: Uint8Array) {
    super('coins')
    this.#seed = seed
  }

  protected override squeeze(label: string): Uint8Array {
    const asked = this.#asked.get(label) ?? 0
    this.#asked.set(label, asked + 1)
    return shake256(Buffer.concat([this.#seed, Buffer.from(`${label} ${asked}`)]), { dkLen: 32 })
  }
}

/** Reads what it makes up: uniform elements, and hashes that are filled in later. */
class Inventing extends VeiledReader {
  readonly parts: { label: string; bytes: Uint8Array }[] = []
  readonly #draw: (count: number) => Uint32Array

  constructor(transcript: Transcript, trace: Trace, draw: (count: number) => Uint32Array) {
    super(new Uint8Array(), transcript, trace)
    this.#draw = draw
  }

  override take(length: number): Uint8Array {
    const bytes = encodeElements(this.#draw(length / 4))
    this.parts.push({ label: '', bytes })
    return bytes
  }

  override hash(label: string): Uint8Array {
    const bytes = super.hash(label)
    this.parts.push({ ...(this.parts.pop() as { bytes: Uint8Array }), label })
    return bytes
  }
}

export function simulate(
  circuit: VeiledCircuit,
  statement: Omit<VeiledStatement, 'weightsRoot'>,
  coins: Uint8Array,
  randomness: Uint8Array,
): { statement: VeiledStatement; proof: Uint8Array } {
  const random = seededRandomness(randomness)
  let drawn = 0
  const draw = (count: number) => random(`${drawn++}`, count)
  const trace = new Trace()
  const transcript = new Coins(coins)
  const reader = new Inventing(transcript, trace, draw)
  const about = { ...statement, weightsRoot: new Uint8Array(32) }
  const heard = hear(reader, trace, circuit, about)
  reader.late('pads/late', trace.late.length)
  const factor = transcript.challenge('pads/factor')
  const shown = reader.clear('pads/shown', 2 * trace.products.length)
  const challenge = transcript.challenge('pads/constraints')
  const { weights, sum } = combineConstraints(trace, { padded: reader.padded, factor, shown }, challenge)
  const pads = padShape(committedCount(countsOf(trace)))
  const mix = ext.powers(transcript.challenge('pads/mix'), pads.rows + 1).slice(1)
  const row = reader.clear('pads/row', pads.dimension)
  const product = reader.clear('pads/product', pads.productDimension).with(2 ** pads.valueBits - 1, sum)
  ;(reader.parts.at(-1) as { bytes: Uint8Array }).bytes = encodeElements(product.flat())

  /** Opened columns: uniform, but that the mask's entry makes the row of the opening fit. */
  const openings = heard.rows.map(({ committed: { label, shape }, weights: rowWeights, row: combined }) => {
    const mask = rowWeights.indexOf(ext.ONE)
    return openInvented(label, shape, new Coins(coins), draw, (indices) => {
      const word = extensionEncodeAt(combined, shape.blowupBits, indices)
      return (column, query) => {
        column.fill(0, mask, mask + DEGREE)
        column.set(ext.sub(word[query] as Ext, combineColumn(column, rowWeights)), mask)
      }
    })
  })
  const { matrix, rows, valueBits } = pads
  const opened = openInvented('pads', matrix, new Coins(coins), draw, (indices) => {
    const rowWord = extensionEncodeAt(filledUp(row, pads), matrix.blowupBits, indices)
    const productWord = extensionEncodeAt(filledUp(product, pads), matrix.blowupBits, indices)
    const weightWords = weightRows(pads, weights).map((coefficients) =>
      extensionEncodeAt(coefficients, matrix.rowBits + matrix.blowupBits - valueBits, indices),
    )
    return (column, query) => {
      const entry = (at: number) => [...column.subarray(DEGREE * at, DEGREE * at + DEGREE)] as unknown as Ext
      let [mask, productMask] = [rowWord[query] as Ext, productWord[query] as Ext]
      for (let at = 0; at < rows; at++) {
        mask = ext.sub(mask, ext.mul(mix[at] as Ext, entry(at)))
        productMask = ext.sub(productMask, ext.mul(weightWords[at]?.[query] as Ext, entry(at)))
      }
      column.set(mask, DEGREE * rows)
      column.set(productMask, DEGREE * (rows + 1))
    }
  })
  const [witness, model, hiddenInput] = openings as [Invented, Invented, Invented | undefined]
  const roots = new Map([
    ['pads', opened.root],
    ['witness', witness.root],
  ])
  const said = reader.parts.map(({ label, bytes }) => roots.get(label) ?? bytes)
  const columns = openings.flatMap(({ parts }) => parts)
  const proof = Buffer.concat([...said, ...columns, ...opened.parts])
  const input = hiddenInput === undefined ? statement.input : { root: hiddenInput.root }
  return { statement: { ...statement, input, weightsRoot: model.root }, proof }
}

type Invented = { root: Uint8Array; parts: Uint8Array[] }

/** A tree of random leaves but where columns are opened. */
function openInvented(
  label: string,
  shape: CommitmentShape,
  coins: Transcript,
  draw: (count: number) => Uint32Array,
  solve: (indices: readonly number[]) => (column: Uint32Array, query: number) => void,
): Invented {
  const depth = shape.rowBits + shape.blowupBits
  const indices = queriedColumns(coins, label, shape)
  const fit = solve(indices)
  const columns = indices.map((_, query) => {
    const column = draw(shape.rows)
    fit(column, query)
    return encodeElements(column)
  })
  const noise = shake256(encodeElements(draw(8)), { dkLen: 32 * 2 ** depth })
  const leaves = Array.from({ length: 2 ** depth }, (_, at) => noise.subarray(32 * at, 32 * at + 32))
  for (const [query, index] of indices.entries()) leaves[index] = hashLeaf(columns[query] as Uint8Array)
  const levels = [leaves]
  for (let height = 0; height < depth; height++) {
    const below = levels[height] as Uint8Array[]
    levels.push(
      Array.from({ length: below.length / 2 }, (_, at) =>
        hashNode(below[2 * at] as Uint8Array, below[2 * at + 1] as Uint8Array),
      ),
    )
  }
  const siblings = siblingsOf(depth, indices).map(
    ({ height, index }) => levels[height]?.[index] as Uint8Array,
  )
  return { root: levels[depth]?.[0] as Uint8Array, parts: [...columns, ...siblings] }
}
