import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatOpg, parseBundle } from '@assay/protocol'
import { createAssay, SdkError } from '@assay/sdk'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { manifest, messages, startStubNetwork } from '../../sdk/test/stubNetwork.ts'
import { CliError, EXIT } from '../src/cliError.ts'
import { keepAnswer } from '../src/keptAnswer.ts'

test('an answer that is paid for is told and saved where only the wait behind it failed', async () => {
  const { network, chain, payerKey, close } = await startStubNetwork()
  try {
    const { llm } = createAssay({ network, chain, privateKey: payerKey })
    // The stub settles nothing.
    const error = await llm
      .chat({ model: manifest.name, messages, waitMilliseconds: 0 })
      .catch((error: unknown) => error)
    assert.ok(error instanceof SdkError)
    const save = path.join(temporaryFolder('kept'), 'bundle.json')
    const kept = keepAnswer(error, { save, asTold: (output) => (output as { content: string }).content })
    assert.ok(kept instanceof CliError)
    assert.deepEqual([kept.exitCode, kept.code, kept.message], [EXIT.failed, error.code, error.shortMessage])
    assert.equal(kept.facts.answer, 'Paris.')
    assert.equal(kept.facts.price, formatOpg(error.answer?.bundle.receipt.price ?? 0n))
    assert.match(String(kept.facts.bundle), /without their batch/)
    assert.deepEqual(parseBundle(readFileSync(save)).receipt, error.answer?.bundle.receipt)
  } finally {
    await close()
  }
})

test('an error that there is no answer behind stays as it is', () => {
  const error = new SdkError('The gateway does not answer.', { code: 'unreachable' })
  assert.equal(keepAnswer(error, { save: undefined, asTold: String }), error)
})
