/** What the prover's thread and its owner say to each other. */
import type { ArchitectureDraft, Parameters } from '../circuit/model.ts'
import type { ZkmlErrorCode } from '../errors.ts'
import type { Proof, ProveStage } from '../prover/prove.ts'

export type ProverModel = { architecture: ArchitectureDraft; parameters: readonly (Parameters | undefined)[] }

/** Given to the thread when it starts. Once `stopping[0]` is 1 it proves nothing more and ends. */
export type ThreadStart = { model: ProverModel; stopping: Int32Array }

/** A proof, and the root of the tape of its verification. */
export type Proven = Proof & { tape: Uint8Array }

/** `close` only wakes a thread that `stopping` tells to end. */
export type Request = 'close' | { id: number; input: readonly number[] }

export type Failure = { code: ZkmlErrorCode | undefined; message: string }

export type Reply =
  | { kind: 'ready'; architecture: Uint8Array; weightsRoot: Uint8Array }
  | { kind: 'refused'; failure: Failure }
  | { kind: 'stage'; id: number; stage: ProveStage }
  | { kind: 'proved'; id: number; proof: Proven }
  | { kind: 'failed'; id: number; failure: Failure }
