/**
 * The plan of a proof: which columns the prover commits to, which lookups they stand in, where weights lie. A pure
 * function of the architecture (`planCircuit.ts`), so prover and verifier cannot disagree about it.
 */

import type { CommitmentShape } from '../commitment/shape.ts'
import type { Table } from '../lookup/tables.ts'
import type { Architecture, Node, Requantise } from './architecture.ts'
import type { Tensor } from './checkArchitecture.ts'

/** A column of 2^bits integers: public, committed at an offset of the witness, or a shifted view of another tensor. */
export type Value =
  | { kind: 'input' | 'output' | 'window'; bits: number }
  | { kind: 'committed'; bits: number; offset: number }

export type ValueIndex = number

/** constant + Σ coefficient·value, row by row. */
export type Form = { constant: number; terms: readonly { value: ValueIndex; coefficient: number }[] }

/** "Every row of (first, second) is a row of the table"; `offset` is where its leaves lie. */
export type Lookup = { table: number; bits: number; offset: number; first: Form; second: Form }

/** A table, the committed multiplicities of its rows, and where its leaves lie. */
export type TableUse = { table: Table; multiplicities: ValueIndex; offset: number }

/** What an accumulator is at any row: the output itself, or recomposed from target and remainder limbs. */
export type Accumulator =
  | { kind: 'output'; value: ValueIndex }
  | {
      kind: 'requantised'
      requantise: Requantise
      target: ValueIndex
      limbs: readonly { value: ValueIndex; bits: number }[]
    }

/** A matrix of int8 weights, or of bias digits: 2^highBits rows of 2^lowBits, at an offset of the model's commitment. */
export type WeightBlock = { lowBits: number; highBits: number; offset: number }

export type NodePlan = {
  node: Node
  /** The tensor read and the tensor written. */
  input: Tensor
  output: Tensor
  accumulator: Accumulator | undefined
  /** Blocks of a dense or convolution node. */
  weights: WeightBlock | undefined
  bias: WeightBlock | undefined
  /** Max-pooling: the views of the window's positions, and the running maxima from the second position on. */
  windows: readonly ValueIndex[]
  maxima: readonly ValueIndex[]
}

export type Plan = {
  architecture: Architecture
  tensors: readonly Tensor[]
  /** Value of each tensor. */
  tensorValues: readonly ValueIndex[]
  values: readonly Value[]
  /** Whether a combination or a map reads the public input, which must then be evaluated at the row. */
  inputAtRow: boolean
  tables: readonly TableUse[]
  lookups: readonly Lookup[]
  /** log2 of the number of leaves of the lookup argument. */
  leafBits: number
  nodes: readonly NodePlan[]
  weightBlocks: readonly WeightBlock[]
  witness: CommitmentShape
  weights: CommitmentShape
}

/** Base-256 digits of a bias, each in −128 … 127, so that the whole model is int8. */
export const BIAS_DIGITS = 4
