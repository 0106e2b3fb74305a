/** What an agent finds when it searches: all that anybody published, and which of it can be asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSender, DEVELOPMENT_ROLES, developmentAccount, startDeployedDevnet } from '@assay/chain'
import { type ModelManifest, manifestUri, modelIdOf, modelRegistryAbi } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { agentTools, createAssay, SdkError } from '../src/index.ts'

const manifestOf = (name: string, license: string): ModelManifest => ({
  name,
  engine: 'upstream:openai:x',
  files: [],
  contextLength: 4096,
  license,
  modes: ['tee'],
})
const served = manifestOf('weather-small', 'MIT')
const newer = manifestOf('weather-large', 'Apache-2.0')
const withdrawn = manifestOf('weather-old', 'MIT')
const elsewhere = manifestOf('weather-hidden', 'MIT')

test('the models of the registry are searched, not those of the network file alone', async (t) => {
  const { devnet, network } = await startDeployedDevnet(temporaryFolder('hub'))
  t.after(() => devnet.close())
  const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.publisher)
  const publisher = createSender({ network, privateKey })
  const registry = { address: network.contracts.ModelRegistry, abi: modelRegistryAbi } as const
  for (const manifest of [served, newer, withdrawn, elsewhere]) {
    const modelId = modelIdOf(manifest)
    const uri = manifest === elsewhere ? 'https://models.example/hidden.json' : manifestUri(manifest)
    await publisher.send({
      ...registry,
      functionName: 'publish',
      args: [modelId, uri, modelId, 10n ** 14n, 10n ** 12n, 2n * 10n ** 12n],
    })
  }
  await publisher.send({ ...registry, functionName: 'withdraw', args: [modelIdOf(withdrawn)] })

  const { name, contextLength, modes } = served
  const models = [{ name, modelId: modelIdOf(served), contextLength, modes: [...modes] }]
  const search = async (at: typeof network, query?: string) => {
    const tools = agentTools(createAssay({ network: at, privateKey }))
    const tool = tools.find((found) => found.name === 'assay_models') ?? assert.fail('no such tool')
    return tool.run(query === undefined ? {} : { query })
  }
  const here = { ...network, models }
  const all = await search(here)
  assert.deepEqual([all.published, all.searched, all.count], [4, 4, 3])
  const found = all.models as { name: string; servedHere: boolean; license: string; price: object }[]
  assert.deepEqual(
    found.map((model) => [model.name, model.servedHere, model.license]),
    [
      ['weather-small', true, 'MIT'],
      ['unknown: its manifest is not on the chain', false, 'unknown: its manifest is not on the chain'],
      ['weather-large', false, 'Apache-2.0'],
    ],
  )
  assert.deepEqual(found[2]?.price, {
    perCall: '0.0001 OPG',
    perInputToken: '0.000001 OPG',
    perOutputToken: '0.000002 OPG',
  })
  assert.equal((await search(here, 'weather apache')).count, 1)
  assert.equal((await search(here, publisher.address)).count, 3)
  assert.equal((await search(here, 'weather-old')).count, 0)

  const away = search({ ...here, rpcUrl: 'http://127.0.0.1:9' })
  await assert.rejects(away, (error) => error instanceof SdkError && error.code === 'unreachable')
})
