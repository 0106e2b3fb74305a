import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { spendingLimit } from '../src/index.ts'
import { ChatAssay } from '../src/langchain.ts'
import { manifest, type StubNetwork, startStubNetwork } from './stubNetwork.ts'

let stub: StubNetwork
before(async () => {
  stub = await startStubNetwork()
})
after(() => stub.close())

const verifiedOf = (message: { response_metadata: Record<string, unknown> }) =>
  (message.response_metadata.assay as { verified?: boolean } | undefined)?.verified

test('a model with tools, or another option, gives its proof as well, within the same limit', async () => {
  const { network, chain, payerKey: privateKey } = stub
  const spending = spendingLimit({ maxPerDay: 10n ** 18n })
  const model = new ChatAssay({ model: manifest.name, assay: { network, chain, privateKey, spending } })
  const parameters = { type: 'object', properties: {} }
  const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
  assert.equal(verifiedOf(await model.invoke('Where?')), true)
  const each = spending.spent()
  assert.equal(verifiedOf(await model.bindTools(tools).invoke('Where?')), true)
  const both = model.withConfig({ stop: ['x'] }).withConfig({ tool_choice: 'auto' })
  assert.equal(verifiedOf(await both.invoke('Where?')), true)
  assert.equal(spending.spent(), 3n * each)
})
