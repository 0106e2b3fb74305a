import type { GpuEvidence } from '@assay/protocol'
import type { TrustedRoot } from '@assay/verify'
import type { Hex } from 'viem'

/** The hardware's part of an enclave: it states, signed, which code runs and what that code wants to be bound to it. */
export type Attester = {
  /** Kind of the evidence, and name of the hardware type: `nitro`, `nitro-sim`, `snp`, `tdx`. */
  kind: string
  /** True where nothing but software stands behind the evidence. */
  simulated: boolean
  /** Roots that evidence from here ends in. */
  roots: readonly TrustedRoot[]
  /** Hash of the TLS key that the platform ends TLS with, inside the enclave; zero where TLS ends elsewhere. */
  tlsKeyHash: Hex
  /** A fresh document (docs/spec.md §8) that carries `binding`, 32 bytes. */
  attest: (binding: Hex) => Promise<Uint8Array>
  /**
   * A document in the form of the nitriding daemon, over 32 bytes of the application's and a nonce of the caller's, 20 bytes;
   * where the platform is Nitro.
   */
  attestWithNonce?: ((appKeyHash: Hex, nonce: Hex) => Promise<Uint8Array>) | undefined
  /** The GPUs beside the processor; absent where there are none. */
  gpus?: GpuSource | undefined
}

/** Where the GPUs of a machine are asked, all at once. */
export type GpuSource = {
  /** Roots that their chains end in. */
  roots: readonly TrustedRoot[]
  /** Evidence of each GPU over `nonce`, 32 bytes: `gpuNonce(…)` of what the enclave's own evidence carries. */
  ask: (nonce: Hex) => Promise<readonly GpuEvidence[]>
}
