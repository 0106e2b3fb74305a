// Vercel's AI SDK: the network as a provider; what stands behind the answer is in providerMetadata.assay.
import { createAssayProvider } from '@assay/sdk/ai'
import { generateText } from 'ai'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const assay = createAssayProvider({ privateKey })
const { text, providerMetadata } = await generateText({
  model: assay('smollm2-135m-instruct'),
  prompt: 'What is the capital of France?',
  maxOutputTokens: 32,
})
console.log(text, providerMetadata?.assay)
