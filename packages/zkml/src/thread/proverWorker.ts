/** The thread that holds one committed model and proves one inference after another. Started by `startProver.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import { makeModel } from '../circuit/model.ts'
import { ZkmlError } from '../errors.ts'
import { createWorkspace } from '../kernels/wasmKernels.ts'
import { type CommittedModel, commitModel, proveInference } from '../prover/prove.ts'
import { recordProof, tapeRoot } from '../tape/recordProof.ts'
import type { Failure, ProverModel, Reply, Request, ThreadStart } from './messages.ts'

const reply = (message: Reply) => parentPort?.postMessage(message)

function failureOf(error: unknown): Failure {
  if (error instanceof ZkmlError) return { code: error.code, message: error.message }
  return { code: undefined, message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

function start({ architecture, parameters }: ProverModel): CommittedModel | undefined {
  try {
    const committed = commitModel(createWorkspace(), makeModel(architecture, parameters))
    const { plan } = committed.model
    reply({
      kind: 'ready',
      architecture: encodeArchitecture(plan.architecture),
      weightsRoot: committed.commitment.root,
    })
    return committed
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(error) })
    return undefined
  }
}

const { model, stopping } = workerData as ThreadStart
const committed = start(model)

/** @throws Error where the owner wants no more of it */
function goOn(): void {
  if (Atomics.load(stopping, 0) === 1) throw new Error('The prover was closed.')
}

function answer(committed: CommittedModel, { id, input }: Exclude<Request, 'close'>): void {
  try {
    goOn()
    const proof = proveInference(committed, input, (stage) => {
      goOn()
      reply({ kind: 'stage', id, stage })
    })
    goOn()
    const { architecture } = committed.model.plan
    const card = { architecture, weightsRoot: committed.commitment.root }
    const tensors = { input, output: proof.output }
    reply({
      kind: 'proved',
      id,
      proof: { ...proof, tape: tapeRoot(recordProof(card, tensors, proof.proof).tape) },
    })
  } catch (error) {
    reply({ kind: 'failed', id, failure: failureOf(error) })
  }
}

if (committed !== undefined) {
  parentPort?.on('message', (request: Request) => {
    if (request === 'close') parentPort?.close()
    else answer(committed, request)
  })
}
