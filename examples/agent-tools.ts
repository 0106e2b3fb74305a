// Tools for an agent of any framework: a name, a JSON schema and a function each.
import { agentTools, createAssay } from '@assay/sdk'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const tools = agentTools(createAssay({ privateKey, maxPerCall: 10n ** 18n }))
for (const { name, description } of tools) console.log(`${name}: ${description}`)
const infer = tools.find(({ name }) => name === 'assay_infer')
console.log(await infer?.run({ prompt: 'What is the capital of France?', max_tokens: 16 }))
