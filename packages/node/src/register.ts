import type { Address } from 'viem'

/** What the registration needs of the chain; `chain/keyRegistry.ts` answers it from the contracts. */
export type KeyRegistry = {
  /** The registered key's life, Unix seconds; validFrom 0 = not admitted. */
  read: (key: Address) => Promise<{ node: Address; validFrom: bigint; revokedAt: bigint }>
  /** Proposes the key; returns once mined. */
  propose: () => Promise<void>
}

export type Registration = {
  /** Whether receipts under this key count now. */
  isValid: () => boolean
  /** Resolves when the key became valid for the first time. */
  ready: Promise<void>
  close: () => void
}

export type KeepRegisteredParameters = {
  registry: KeyRegistry
  key: Address
  node: Address
  log: (event: string, facts: Record<string, unknown>) => void
  /** ms between two looks while the key is not valid, and while it is. */
  pollMs?: number | undefined
  watchMs?: number | undefined
  /** ms after which a proposal that led to nothing is made again. */
  repeatMs?: number | undefined
}

/** ms until a proposal that failed is tried again. */
const RETRY_MS = 2_000

/**
 * Keeps the enclave's key registered: proposes it, waits for the validators, and watches that the chain still knows it. A
 * chain that lost its last blocks lost the proposal too, so a key that is not admitted is proposed again; proposing twice
 * is refused by the contract and harms nobody. A revoked key stays revoked: the next boot brings another.
 */
export function keepRegistered(parameters: KeepRegisteredParameters): Registration {
  const { registry, key, node, log, pollMs = 500, watchMs = 5_000, repeatMs = 20_000 } = parameters
  let valid = false
  let closed = false
  let proposedAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let announce: () => void = () => undefined
  const ready = new Promise<void>((resolve) => {
    announce = resolve
  })

  const look = async (): Promise<void> => {
    const found = await registry.read(key)
    const now = BigInt(Math.floor(Date.now() / 1000))
    const was = valid
    valid =
      found.node.toLowerCase() === node.toLowerCase() &&
      found.validFrom !== 0n &&
      // The chain's clock may be a little ahead of ours.
      found.validFrom <= now + 5n &&
      found.revokedAt === 0n
    if (valid && !was) {
      log('key_valid', { key, validFrom: found.validFrom.toString() })
      announce()
    }
    if (!valid && was) log('key_lost', { key, revokedAt: found.revokedAt.toString() })
    // A key that was valid and is unknown now was lost with the chain's last blocks: no reason to wait.
    if (!valid && was && found.validFrom === 0n) proposedAt = Number.NEGATIVE_INFINITY
    if (!valid && found.validFrom === 0n && Date.now() - proposedAt > repeatMs) {
      proposedAt = Date.now()
      try {
        await registry.propose()
      } catch (error) {
        // Most likely the operator's bond is not on the chain yet: soon again.
        proposedAt = Date.now() - repeatMs + Math.min(repeatMs, RETRY_MS)
        throw error
      }
      log('key_proposed', { key })
    }
  }

  const run = (): void => {
    look()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
        log('registration_failed', { key, reason })
      })
      .finally(() => {
        if (!closed) timer = setTimeout(run, valid ? watchMs : pollMs)
      })
  }
  run()
  return {
    isValid: () => valid,
    ready,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
