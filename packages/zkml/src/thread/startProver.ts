/** A prover in a thread of its own, so that a server answers while it proves. */
import { Worker } from 'node:worker_threads'
import type { Architecture } from '../circuit/architecture.ts'
import { decodeArchitecture } from '../circuit/encodeArchitecture.ts'
import { ZkmlError } from '../errors.ts'
import type { ProveStage } from '../prover/prove.ts'
import type { Failure, Proven, ProverModel, Reply, Request, ThreadStart } from './messages.ts'

export type Prover = {
  /** The architecture complete with its reaches, as the verifier wants it. */
  architecture: Architecture
  weightsRoot: Uint8Array
  /**
   * Runs the model, proves the run and records the proof's verification; requests queue. `onStage` hears of each stage as it begins.
   * @throws ZkmlError bad_input
   */
  prove(input: ArrayLike<number>, onStage?: (stage: ProveStage) => void): Promise<Proven>
  /**
   * Ends the thread; what is still queued is rejected. It ends by itself, at the next stage of the proof that it is at: Node
   * may crash where a thread at work is stopped from outside (nodejs/node#60755).
   */
  close(): Promise<void>
}

type Waiting = {
  resolve: (proof: Proven) => void
  reject: (error: Error) => void
  onStage: ((stage: ProveStage) => void) | undefined
}

const errorOf = ({ code, message }: Failure): Error =>
  code === undefined ? new Error(message) : new ZkmlError(code, message)

/** Commits to a model in a new thread. @throws ZkmlError bad_architecture, bad_model or kernels_missing */
export async function startProver(model: ProverModel): Promise<Prover> {
  const stopping = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const worker = new Worker(new URL('./proverWorker.ts', import.meta.url), {
    workerData: { model, stopping } satisfies ThreadStart,
  })
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  const ready = Promise.withResolvers<Extract<Reply, { kind: 'ready' }>>()
  const waiting = new Map<number, Waiting>()
  let next = 0
  let ended: Error | undefined

  const end = (error: Error) => {
    ended ??= error
    ready.reject(ended)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  const settle = (id: number): Waiting | undefined => {
    const entry = waiting.get(id)
    waiting.delete(id)
    return entry
  }
  worker.on('error', end)
  worker.on('exit', () => end(new Error('the proving thread has ended')))
  worker.on('message', (reply: Reply) => {
    if (reply.kind === 'ready') ready.resolve(reply)
    else if (reply.kind === 'refused') end(errorOf(reply.failure))
    else if (reply.kind === 'stage') waiting.get(reply.id)?.onStage?.(reply.stage)
    else if (reply.kind === 'proved') settle(reply.id)?.resolve(reply.proof)
    else settle(reply.id)?.reject(errorOf(reply.failure))
  })

  const { architecture, weightsRoot } = await ready.promise
  return {
    architecture: decodeArchitecture(architecture),
    weightsRoot,
    prove(input, onStage) {
      return new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        const id = next++
        waiting.set(id, { resolve, reject, onStage })
        worker.postMessage({ id, input: Array.from(input) } satisfies Request)
      })
    },
    async close() {
      end(new Error('the prover was closed'))
      Atomics.store(stopping, 0, 1)
      worker.postMessage('close' satisfies Request)
      await exited
    },
  }
}
