import { smaller } from '@assay/protocol'

/**
 * Ways in which an answer can be verified, by what their evidence costs to make: a signature, an enclave, a second run by a
 * committee, a proof. Prices are per model, so this order decides what is cheapest (docs/routing.md).
 */
export const MODES = ['bonded', 'tee', 'replay', 'zk'] as const
export type Mode = (typeof MODES)[number]

export function isMode(name: string): name is Mode {
  return (MODES as readonly string[]).includes(name)
}

/** What stands behind one answer of one node, OPG base units. */
export type Behind = {
  /** What is left of the node's and of the gateway's bond beside their open answers. */
  nodeFree: bigint
  gatewayFree: bigint
  /** What validators lose who make a false receipt final. */
  quorumAtStake: bigint
}

/**
 * What whoever passes off a false answer loses at least, OPG base units; undefined where no amount buys it (docs/routing.md).
 * What a mode makes its reader *believe* (hardware, sampling) comes on top, and has no price.
 */
export function costOfCorruption(
  mode: Mode,
  { nodeFree, gatewayFree, quorumAtStake }: Behind,
): bigint | undefined {
  switch (mode) {
    // Nobody can prove it on chain but the operator's own contradiction: the bond is all there is.
    case 'bonded':
      return nodeFree
    // Without breaking the hardware it takes a gateway that commits a bad key or signature and a quorum that attests it.
    case 'tee':
      return gatewayFree + quorumAtStake
    // The node lies and a committee has to agree; the penalty is capped, so the weaker of the two counts.
    case 'replay':
      return smaller(nodeFree, gatewayFree) + quorumAtStake
    case 'zk':
      return undefined
  }
}
