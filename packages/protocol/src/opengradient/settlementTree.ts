import { bytesToHex, concat, encodeAbiParameters, type Hex, keccak256 } from 'viem'
import type { TeeStatement } from './signedAnswer.ts'

/** OpenGradient's batch: OpenZeppelin's `StandardMerkleTree` over what enclaves said, in no order that matters. */
export type SettlementTree = {
  root: Hex
  /** @throws Error for a statement that is not in the tree */
  proofOf: (statement: TeeStatement) => Hex[]
}

/**
 * The tree as `StandardMerkleTree.of` lays it out: leaves ascending by hash, at the end of an array in which the children of
 * node i are 2i + 1 and 2i + 2; a node is the hash of its children, the smaller first.
 * @throws Error without statements
 */
export function settlementTree(statements: readonly TeeStatement[]): SettlementTree {
  if (statements.length === 0) throw new Error('A settlement has at least one statement.')
  const leaves = statements.map(leafHash).sort()
  const nodes: Hex[] = Array(2 * leaves.length - 1)
  for (const [at, leaf] of leaves.entries()) nodes[nodes.length - 1 - at] = leaf
  for (let at = leaves.length - 2; at >= 0; at--) {
    nodes[at] = pairHash(nodes[2 * at + 1] as Hex, nodes[2 * at + 2] as Hex)
  }
  return {
    root: nodes[0] as Hex,
    proofOf(statement) {
      let at = nodes.indexOf(leafHash(statement), leaves.length - 1)
      if (at === -1) throw new Error('The statement is not in the tree.')
      const proof: Hex[] = []
      for (; at > 0; at = (at - 1) >> 1) proof.push(nodes[at % 2 === 0 ? at - 1 : at + 1] as Hex)
      return proof
    },
  }
}

/** OpenZeppelin's `MerkleProof.verify`. */
export function isSettled(root: Hex, statement: TeeStatement, proof: readonly Hex[]): boolean {
  return proof.reduce(pairHash, leafHash(statement)) === root
}

/** Hashed twice, so that no inner node passes for a leaf. */
function leafHash({ teeId, requestHash, outputHash, signature, timestamp }: TeeStatement): Hex {
  const encoded = encodeAbiParameters(
    [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'bytes32' }, { type: 'bytes' }, { type: 'uint256' }],
    [teeId, requestHash, outputHash, bytesToHex(signature), BigInt(timestamp)],
  )
  return keccak256(keccak256(encoded))
}

function pairHash(a: Hex, b: Hex): Hex {
  return keccak256(a < b ? concat([a, b]) : concat([b, a]))
}
