import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomInput, scalarWorkspace, smallPerceptron } from './support/models.ts'

const model = smallPerceptron()
const { architecture } = model.plan
const committed = commitModel(scalarWorkspace(), model)
const weightsRoot = committed.commitment.root
const input = randomInput(3, 12)
const { output, proof } = proveInference(committed, input)

test('the output is what the integers say', () => {
  assert.deepEqual(output, runOverIntegers(architecture, model.parameters, input))
})

test('an honest proof verifies at 100 bits or more, as a validity proof', () => {
  const verified = verifyProof(architecture, { weightsRoot, input, output }, proof)
  assert.equal(verified.kind, 'validity')
  assert.ok(verified.soundness.bits >= 100, `${verified.soundness.bits} bits`)
})

test('proving twice gives the same bytes', () => {
  assert.deepEqual(proveInference(committed, input).proof, proof)
})

test('another input, output or root is refused', () => {
  const refused = (statement: Parameters<typeof verifyProof>[1]) =>
    assert.throws(() => verifyProof(architecture, statement, proof), { name: 'ZkmlError' })
  for (const at of input.keys())
    refused({
      weightsRoot,
      input: input.with(at, input[at] === 127 ? 126 : (input[at] as number) + 1),
      output,
    })
  for (const at of output.keys())
    refused({ weightsRoot, input, output: output.with(at, (output[at] as number) - 1) })
  refused({ weightsRoot: weightsRoot.with(0, (weightsRoot[0] as number) ^ 1), input, output })
})
