import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startProver } from '../src/thread/startProver.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomInput, smallPerceptron } from './support/models.ts'

const { plan, parameters } = smallPerceptron()
const { architecture } = plan

test('a thread proves what is queued, says how far it is, and reports bad input without dying', async (t) => {
  const prover = await startProver({ architecture, parameters })
  t.after(() => prover.close())
  assert.deepEqual(prover.architecture, architecture)
  const stages: string[] = []
  const inputs = [randomInput(1, 12), randomInput(2, 12)]
  const [first, second, refused] = await Promise.allSettled([
    prover.prove(inputs[0] as number[], (stage) => stages.push(stage)),
    prover.prove(inputs[1] as number[]),
    prover.prove([1, 2, 3]),
  ])
  assert.deepEqual(stages, ['execute', 'commit', 'lookups', 'layers', 'open'])
  assert.ok(refused?.status === 'rejected' && refused.reason.code === 'bad_input')
  for (const [at, result] of [first, second].entries()) {
    assert.ok(result?.status === 'fulfilled')
    const { output, proof } = result.value
    const statement = { weightsRoot: prover.weightsRoot, input: inputs[at] as number[], output }
    assert.equal(verifyProof(prover.architecture, statement, proof).kind, 'validity')
  }
})

test('a model that breaks a rule is refused with its code', async () => {
  await assert.rejects(startProver({ architecture, parameters: [] }), { code: 'bad_model' })
})

test('closing rejects what is queued, and what is asked afterwards', async () => {
  const prover = await startProver({ architecture, parameters })
  const pending = prover.prove(randomInput(1, 12))
  const [result] = await Promise.allSettled([pending, prover.close()])
  assert.equal(result?.status, 'rejected')
  await assert.rejects(prover.prove(randomInput(1, 12)), /closed/)
})
