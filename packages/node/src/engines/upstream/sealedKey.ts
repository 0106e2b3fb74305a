/**
 * The key of a provider's API that its owner gives to the running enclave, encrypted to it, so that the host has never
 * had it (docs/spec.md §12). It is in memory alone: after every start it is awaited again.
 */
export class SealedKey {
  /** The only one that it is shown to. */
  readonly provider: string
  readonly name: string
  #value: string | undefined
  #sequence = -1n

  constructor(provider: string, name: string) {
    this.provider = provider
    this.name = name
  }

  /** Undefined until it was given. */
  get value(): string | undefined {
    return this.#value
  }

  /** Takes the key, in place of the one before; false for one that is no newer, which a host may have kept back. */
  give(secret: string, sequence: bigint): boolean {
    if (sequence <= this.#sequence) return false
    this.#sequence = sequence
    this.#value = secret
    return true
  }
}
