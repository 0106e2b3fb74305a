/**
 * The first steps of the verifier without a model: they are the same for every circuit, so that a contract that knows none
 * can replay them (contracts/src/faults/ZkFractions.sol).
 */
import { ZkmlError } from '../errors.ts'
import { verifyFractionTree } from '../lookup/verifyLookups.ts'
import { ProofReader } from '../transcript/proofReader.ts'
import { beginLookups, type StatementHashes, transcriptOf } from './verify.ts'

/**
 * Layers of fractions below the root that a contract replays (ZkFault's MAX_LAYERS). Every circuit has eight: it has a
 * lookup, in a table of 512 rows at least where something is requantised or pooled, else in a map of 256, and the lookup
 * itself is a leaf beside the table's.
 */
export const REPLAYED_LAYERS = 5

/** Bytes of a proof down to a layer, 0 = the root: the commitment, and the halves and rounds of every layer. */
export function prefixBytes(layer: number): number {
  return 32 + 80 * (layer + 1) + 60 * ((layer * (layer + 1)) / 2)
}

/**
 * The layer, 0 = the root, of those that a contract replays, in which the verifier refuses a proof of the statement.
 * @returns undefined where it comes past them all
 */
export function falseLayer(statement: StatementHashes, proof: Uint8Array): number | undefined {
  for (let layer = 0; layer <= REPLAYED_LAYERS; layer++) {
    const reader = new ProofReader(proof, transcriptOf(statement))
    try {
      beginLookups(reader)
      verifyFractionTree(reader, layer + 1)
    } catch (error) {
      if (error instanceof ZkmlError) return layer
      throw error
    }
  }
  return undefined
}
