import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import {
  modelIdOf,
  type ProofAttachment,
  proofAttachmentFromJson,
  receiptFromJson,
  requestHash,
  responseHash,
} from '@assay/protocol'
import { proofHolds } from '@assay/verify'
import { fraudScorer, fraudScorerFile } from '../../../test/fraudScorer.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { startCircuitEngine } from '../src/engines/circuit/startCircuitEngine.ts'
import type { Prover } from '../src/engines/engine.ts'
import { startProving } from '../src/proofs/startProving.ts'
import { createQueue } from '../src/queue.ts'
import { openReceiptStore } from '../src/receiptStore.ts'
import type { ServedModel } from '../src/server/servedModel.ts'
import { type PaidAnswer, payingFetch, startTestServer } from './harness.ts'

const { inputs } = fraudScorer()
let served: ServedModel
let prover: Prover

before(async () => {
  const { manifest, engine } = await startCircuitEngine(fraudScorerFile())
  assert.ok(engine.prover !== undefined)
  prover = engine.prover
  served = {
    manifest,
    engine,
    modelId: modelIdOf(manifest),
    queue: createQueue({ concurrency: 1, waiting: 4 }),
  }
})
after(() => served?.engine.close())

const view = () => ({ model: { weightsHash: prover.weightsHash, manifest: served.manifest } })
const quiet = (): void => undefined

async function ask(dir: string, input: readonly number[]) {
  const { manifest, engine } = served
  const server = await startTestServer({ engine, manifest, dir })
  const answers: PaidAnswer[] = []
  const response = await payingFetch(server, answers)(`${server.url}/v1/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-assay-settlement': 'full' },
    body: JSON.stringify({ model: manifest.name, input }),
  })
  return { server, response, answer: answers.at(-1) as PaidAnswer }
}

test('an answer is durable with what proves it before it goes out, and a later process proves it', async () => {
  const dir = temporaryFolder('proving')
  const { server, response, answer } = await ask(dir, inputs[0] as number[])
  assert.equal(response.status, 200)
  const { receipt } = answer
  const proofs = `${server.url}/v1/proofs/${receipt.requestId}`
  // This server proves nothing: as if the process ended between answer and proof.
  const pending = (await (await fetch(proofs)).json()) as { error: { code: string } }
  assert.equal(pending.error.code, 'proof_pending')
  await server.close()

  const store = openReceiptStore(dir)
  const proving = startProving({ models: [served], store: store.proofs, log: quiet })
  await proving.stop()
  const found = store.proofs.find(receipt.requestId)
  store.close()
  assert.ok(found?.proven !== undefined)
  const zk: ProofAttachment = { card: prover.card, ...found.proven, ...found.bodies }
  assert.equal(requestHash(zk.request), receipt.requestHash)
  assert.equal(responseHash(zk.response), receipt.responseHash)
  const step = await proofHolds({ receipt, signature: '0x', zk }, view())
  assert.deepEqual([step.outcome, step.code], ['passed', 'ok'], step.reason)

  const again = await startTestServer({ engine: served.engine, manifest: served.manifest, dir })
  const shown = await fetch(`${again.url}/v1/proofs/${receipt.requestId}`)
  assert.deepEqual(proofAttachmentFromJson((await shown.json()) as never), zk)
  await again.close()
})

test('an answer survives kill -9 between answer and proof, and a later process proves it', async (t) => {
  const dir = temporaryFolder('proving')
  const program = path.join(import.meta.dirname, 'answerAndWait.process.ts')
  const child = spawn(process.execPath, [program, dir, fraudScorerFile(), JSON.stringify(inputs[2])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const gone = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const [said] = (await Promise.race([once(lines, 'line'), gone])) as [unknown]
  child.kill('SIGKILL')
  const [, signal] = (await gone) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL', 'it was alive until then')
  const receipt = receiptFromJson(JSON.parse(said as string))

  const store = openReceiptStore(dir)
  t.after(() => store.close())
  const left = store.proofs.find(receipt.requestId)
  assert.ok(left !== undefined && left.proven === undefined, 'answered, and not proved')
  const proving = startProving({ models: [served], store: store.proofs, log: quiet })
  await proving.stop()
  const found = store.proofs.find(receipt.requestId)
  assert.ok(found?.proven !== undefined)
  const zk: ProofAttachment = { card: prover.card, ...found.proven, ...found.bodies }
  const step = await proofHolds({ receipt, signature: '0x', zk }, view())
  assert.deepEqual([step.outcome, step.code], ['passed', 'ok'], step.reason)
})

test('a proof that cannot be made ends there, and the next one is made', async () => {
  const dir = temporaryFolder('proving')
  const answers: `0x${string}`[] = []
  for (const input of inputs.slice(0, 2)) {
    const { server, answer } = await ask(dir, input)
    answers.push(answer.receipt.requestId)
    await server.close()
  }
  const store = openReceiptStore(dir)
  let calls = 0
  const broken: Prover = {
    ...prover,
    prove(values) {
      calls += 1
      return calls === 1 ? Promise.reject(new Error('out of memory')) : prover.prove(values)
    },
  }
  const events: string[] = []
  const models = [{ ...served, engine: { ...served.engine, prover: broken } }]
  let proving: ReturnType<typeof startProving> | undefined
  await new Promise<void>((done) => {
    proving = startProving({
      models,
      store: store.proofs,
      log: (event) => {
        if (events.push(event) === 2) done()
      },
    })
  })
  await proving?.stop()
  assert.deepEqual(events, ['proof_failed', 'proved'])
  assert.deepEqual(
    answers.map((requestId) => store.proofs.find(requestId)?.proven !== undefined),
    [false, true],
  )
  store.close()
})
