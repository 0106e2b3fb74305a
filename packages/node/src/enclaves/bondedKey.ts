import { type Deployment, keyPossessionDigest, signDigest } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import type { ReceiptKey } from '../signReceipt.ts'

/** A key behind which no enclave stands, only the operator's bond. */
export type BondedKey = ReceiptKey & {
  /** Shows the registry that whoever registers the key has it. */
  possession: (node: Address, deployment: Deployment) => Promise<Hex>
}

/** Draws a new key, as every boot does. */
export function createBondedKey(): BondedKey {
  const privateKey = generatePrivateKey()
  const key = privateKeyToAccount(privateKey).address.toLowerCase() as Address
  return {
    key,
    sign: (digest) => signDigest(digest, privateKey),
    possession: (node, deployment) => signDigest(keyPossessionDigest({ node, key }, deployment), privateKey),
  }
}
