import type { AllowanceLimits } from './payment/allowance.ts'

/** Bounds on everything that comes from outside, and how long the gateway waits for it. */
export type Limits = AllowanceLimits & {
  /** Request body, bytes. */
  maxBodyBytes: number
  /** An answer as the node sends it, bytes; a larger one is cut off and not charged. */
  maxAnswerBytes: number
  /** Requests being relayed at once; one more gets 429. */
  maxConcurrent: number
  /** Open connections. */
  maxConnections: number
  /** From the first byte of a request to the end of its head, milliseconds. */
  headersTimeoutMs: number
  /** From the first byte of a request to the end of its body, milliseconds. */
  requestTimeoutMs: number
  /** Longest wait for the head of an answer, which a whole one has only at its end, milliseconds. */
  nodeHeadMs: number
  /** Longest wait for what a node says of its health, milliseconds; three such silences one after another, and it is thought to hang. */
  healthTimeoutMs: number
  /** Longest silence of a node inside an answer, milliseconds. */
  nodeTimeoutMs: number
  /** Longest answer, from its request to its last byte, milliseconds; what was sent till then is charged. */
  maxAnswerMs: number
  /** What collecting a payment takes behind its answer, with room for a slow chain, milliseconds. */
  collectMs: number
  /** How long a client may leave its answer unread, milliseconds. */
  clientStallMs: number
  /** How long an answer waits for a database that went away before its receipt was durable, milliseconds. */
  persistMs: number
  /** How long a receipt is looked for after its request was cut off, milliseconds. */
  recoverMs: number
  /** How long a gateway that closes waits for the answers under way, milliseconds. */
  drainMs: number
  /** How often the list of nodes is read again, milliseconds. */
  discoverMs: number
  /** How often bonds, stake and keys are read anew, milliseconds. */
  standingMs: number
  /** How long an answer is kept whose client named its request, seconds. */
  keepAnswersSeconds: number
  /** Longest answer that is kept, and all of them together in one database, bytes. */
  keepAnswerBytes: number
  keepAnswersBytes: number
}

export const DEFAULT_LIMITS: Limits = {
  requestsPerMinute: 0,
  spendPerHour: 0n,
  maxBodyBytes: 4 * 1024 * 1024,
  maxAnswerBytes: 4 * 1024 * 1024,
  maxConcurrent: 256,
  maxConnections: 2048,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // The vendors' clients wait as long.
  nodeHeadMs: 600_000,
  healthTimeoutMs: 5000,
  nodeTimeoutMs: 120_000,
  maxAnswerMs: 1_500_000,
  collectMs: 20_000,
  clientStallMs: 60_000,
  persistMs: 20_000,
  recoverMs: 120_000,
  drainMs: 10_000,
  discoverMs: 10_000,
  standingMs: 2000,
  keepAnswersSeconds: 3600,
  keepAnswerBytes: 1024 * 1024,
  keepAnswersBytes: 256 * 1024 * 1024,
}

export type BatchLimits = {
  /** Receipts in one batch at most (4,096 is the protocol's bound). */
  maxReceipts: number
  /** Longest time that a receipt waits for others, milliseconds. */
  maxDelayMs: number
}

export const DEFAULT_BATCH_LIMITS: BatchLimits = { maxReceipts: 256, maxDelayMs: 2000 }
