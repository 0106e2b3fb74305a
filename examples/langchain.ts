// LangChain.js: a chat model like any other; what stands behind its answer is in response_metadata.assay.
import { ChatAssay } from '@assay/sdk/langchain'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const model = new ChatAssay({ model: 'smollm2-135m-instruct', maxTokens: 32, assay: { privateKey } })
const { content, response_metadata } = await model.invoke('What is the capital of France?')
console.log(content, response_metadata.assay)
