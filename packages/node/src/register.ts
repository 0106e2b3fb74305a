import type { Address } from 'viem'

/** What the chain says of a key, Unix seconds throughout. */
export type KeyRecord = {
  node: Address
  /** 0 = not admitted. */
  validFrom: bigint
  revokedAt: bigint
  /** When its evidence was last proposed, and when that stops counting; 0 for a bonded key. */
  attestedAt: bigint
  expiresAt: bigint
  /** Whether receipts under it count at `now`, whatever it is that may have ended. */
  counts: boolean
  /** The newest block's time. */
  now: bigint
}

/** What the registration needs of the chain; `chain/keyRegistry.ts` answers it from the contracts. */
export type KeyRegistry = {
  read: (key: Address) => Promise<KeyRecord>
  /** Proposes the key with fresh evidence, be it to have it admitted or to have its term renewed; returns once mined. */
  propose: () => Promise<void>
}

export type Registration = {
  /** Whether receipts under this key count now. */
  isValid: () => boolean
  /** Since when, Unix seconds; 0 where it never did. */
  validFrom: () => bigint
  /** Resolves when the key became valid for the first time. */
  ready: Promise<void>
  /** Resolves when the key was revoked or its term ran out: it never counts again. */
  ended: Promise<void>
  close: () => void
}

export type KeepRegisteredParameters = {
  registry: KeyRegistry
  key: Address
  node: Address
  log: (event: string, facts: Record<string, unknown>) => void
  /** ms between two looks while the key is not valid, and while it is: a revocation is to be seen within a block. */
  pollMs?: number | undefined
  watchMs?: number | undefined
  /** ms after which a proposal that led to nothing is made again. */
  repeatMs?: number | undefined
}

/** ms until a proposal that failed is tried again. */
const RETRY_MS = 2_000

/** Fresh evidence is due once half of the term is over: votes that take days still come in time. */
function renewalIsDue({ attestedAt, expiresAt, now }: KeyRecord): boolean {
  return expiresAt !== 0n && now >= attestedAt + (expiresAt - attestedAt) / 2n
}

/**
 * Keeps the enclave's key registered: proposes it, waits for the validators, watches that the chain still knows it, and
 * attests it again before its term is over. A chain that lost its last blocks lost the proposal too, so what led to nothing
 * is proposed again; proposing twice is refused by the contract and harms nobody. A key that ended stays ended.
 */
export function keepRegistered(parameters: KeepRegisteredParameters): Registration {
  const { registry, key, node, log, pollMs = 500, watchMs = 1_000, repeatMs = 20_000 } = parameters
  let valid = false
  let validFrom = 0n
  let closed = false
  let proposedAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()

  const propose = async (event: string): Promise<void> => {
    if (Date.now() - proposedAt <= repeatMs) return
    proposedAt = Date.now()
    try {
      await registry.propose()
    } catch (error) {
      // Most likely the operator's bond is not on the chain yet: soon again.
      proposedAt = Date.now() - repeatMs + Math.min(repeatMs, RETRY_MS)
      throw error
    }
    log(event, { key })
  }

  const look = async (): Promise<void> => {
    const found = await registry.read(key)
    const was = valid
    valid = found.node.toLowerCase() === node.toLowerCase() && found.counts
    if (valid) validFrom = found.validFrom
    if (valid && !was) {
      log('key_valid', { key, validFrom: found.validFrom.toString() })
      ready.resolve()
    }
    const expired = found.expiresAt !== 0n && found.now >= found.expiresAt
    if (!valid && was) {
      const reason = found.revokedAt !== 0n ? 'revoked' : expired ? 'expired' : 'not approved'
      log('key_lost', { key, reason, revokedAt: found.revokedAt.toString() })
    }
    if (found.revokedAt !== 0n || expired) return ended.resolve()
    // A key that was valid and is unknown now was lost with the chain's last blocks: no reason to wait.
    if (!valid && was && found.validFrom === 0n) proposedAt = Number.NEGATIVE_INFINITY
    if (found.validFrom === 0n) await propose('key_proposed')
    else if (valid && renewalIsDue(found)) await propose('renewal_proposed')
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
    validFrom: () => validFrom,
    ready: ready.promise,
    ended: ended.promise,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
