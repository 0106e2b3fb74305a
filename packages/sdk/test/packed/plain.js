// A program of somebody else's, in plain JavaScript: asks, checks an answer that it kept, is refused. packed.test.ts runs
// it from another folder and reads what it prints.
import { deserialize, serialize } from 'node:v8'
import { AssayError, answerReport, createAssay, encodeBundle, parseBundle, SdkError } from '@assay/sdk'
import { startProxy } from '@assay/sdk/proxy'

const { network, privateKey, model, chainUrl, frameworks } = JSON.parse(process.argv[2])

/** A chain that is read elsewhere. */
const reading =
  (method) =>
  async (...values) => {
    const answer = await fetch(chainUrl, { method: 'POST', body: serialize({ method, values }) })
    return deserialize(Buffer.from(await answer.arrayBuffer()))
  }
const chain = Object.fromEntries(
  ['tillOf', 'permit2Allowance', 'priceOf', 'view'].map((method) => [method, reading(method)]),
)
/** Code of an error of ours, and the steps of the checklist that failed, where there was one. */
async function refusalOf(promise) {
  try {
    await promise
  } catch (error) {
    if (!(error instanceof SdkError) && !(error instanceof AssayError)) throw error
    const failed = error.report?.steps.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)
    return [error.code, ...(failed ?? [])]
  }
}

const options = { network, chain, privateKey }
const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const { llm } = createAssay(options)
const said = {}

const { chatOutput, report, bundle } = await llm.chat({ model, messages, wait: 'answer' })
said.chat = [chatOutput.content, report.ok]

const stream = await llm.stream({ model, messages, wait: 'answer' })
said.stream = ''
for await (const text of stream) said.stream += text
said.streamed = (await stream.result).report.ok

const read = parseBundle(encodeBundle(bundle))
const { request, requestAuth, response } = read
const kept = {
  network,
  chain,
  expected: { request, requestAuth, modelId: read.receipt.modelId, committer: network.gateway },
  response,
  signed: read,
}
said.kept = (await answerReport(kept)).report.ok
const changed = new TextEncoder().encode(new TextDecoder().decode(response.body).replace('Paris', 'Roma!'))
said.changed = await refusalOf(answerReport({ ...kept, response: { ...response, body: changed } }))

const sparing = createAssay({ ...options, maxPerCall: 1n })
said.tooDear = await refusalOf(sparing.llm.chat({ model, messages }))
said.mistyped = await refusalOf(llm.chat({ model, messages, temprature: 1 }))

said.withoutNetwork = await refusalOf((async () => createAssay({ networkPath: 'none.json', privateKey }))())

const proxy = await startProxy({ ...options, port: 0, token: 'its token' })
const throughProxy = (key) =>
  fetch(new URL('/v1/chat/completions', proxy.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages }),
  })
said.proxy = (await (await throughProxy('its token')).json()).choices[0].message.content
said.strangerAtProxy = (await throughProxy('another')).status
await proxy.close()

if (frameworks) {
  const { createAssayProvider } = await import('@assay/sdk/ai')
  const content = [{ type: 'text', text: messages[0].content }]
  const generated = await createAssayProvider(options)(model).doGenerate({
    prompt: [{ role: 'user', content }],
  })
  said.ai = generated.providerMetadata.assay.verified
  const { ChatAssay } = await import('@assay/sdk/langchain')
  const message = await new ChatAssay({ model, assay: options }).invoke(messages[0].content)
  said.langchain = message.response_metadata.assay.verified
} else {
  const failure = (entry) =>
    import(entry).then(
      () => 'loaded',
      (error) => error.code,
    )
  said.ai = await failure('@assay/sdk/ai')
  said.langchain = await failure('@assay/sdk/langchain')
}
console.log(JSON.stringify(said))
