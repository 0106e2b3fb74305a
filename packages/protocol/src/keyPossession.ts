import { type Address, type Hex, hashTypedData } from 'viem'
import { assayDomain, type Deployment } from './domain.ts'

/** What a bonded key signs to be registered, so that nobody registers another's (docs/spec.md §7). */
export function keyPossessionDigest(
  possession: { node: Address; key: Address },
  deployment: Deployment,
): Hex {
  return hashTypedData({
    domain: assayDomain(deployment),
    types: {
      KeyPossession: [
        { name: 'node', type: 'address' },
        { name: 'key', type: 'address' },
      ],
    },
    primaryType: 'KeyPossession',
    message: possession,
  })
}
