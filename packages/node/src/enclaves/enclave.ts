import type { Deployment, Evidence, OhttpKey } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { TeeKey } from './teeKey.ts'

/** Where the signing key lives. The key never leaves it; it is new at every boot. */
export type Enclave = {
  /** Name of the hardware type, e.g. `nitro-sim`. */
  hardware: string
  /** True where nothing but software stands behind the evidence. */
  simulated: boolean
  hardwareType: Hex
  rootHash: Hex
  measurement: Hex
  /** Bit i = engine class i. */
  engineClasses: number
  /** Address of the signing key. */
  key: Address
  /** Hashes of the other keys that live here, as the binding names them (docs/spec.md §7). */
  tlsKeyHash: Hex
  hpkeKeyHash: Hex
  /** What clients encrypt to; its private half never leaves the enclave either. */
  ohttp: OhttpKey
  /** Under the profile `opengradient`: its RSA key, and a document of the platform's over that key and a nonce, where it gives such. */
  tee?: TeeKey | undefined
  attestTee?: ((nonce: Hex) => Promise<Uint8Array>) | undefined
  /** Signs 32 bytes: r ‖ s ‖ v, low s. */
  sign: (digest: Hex) => Promise<Hex>
  /** Fresh evidence that binds the keys here to an operator, younger than the block named (docs/spec.md §7). */
  evidence: (
    deployment: Deployment,
    node: Address,
    anchor: { number: bigint; hash: Hex },
  ) => Promise<Evidence>
}
