import { type ZkCircuit, zkCircuitHash } from '@assay/protocol'
import { type ModelCard, programOf } from '@assay/zkml/verifier'
import { bytesToHex, type Hex } from 'viem'

/** The circuit of a card's model: whoever reads the card can compute it. */
export function circuitOf(card: ModelCard): ZkCircuit {
  const { root, gates } = programOf(card)
  return {
    modelRoot: bytesToHex(card.modelRoot),
    weightsRoot: bytesToHex(card.weightsRoot),
    programRoot: bytesToHex(root),
    gates,
  }
}

/** What the registry must hold as the weights of a card's model. */
export function circuitHashOf(card: ModelCard): Hex {
  return zkCircuitHash(circuitOf(card))
}
