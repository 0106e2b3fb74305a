// The official OpenAI client. The one change: a fetch that pays, signs and verifies.
import { createAssay } from '@assay/sdk'
import OpenAI from 'openai'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { network, fetch } = createAssay({ privateKey })
const client = new OpenAI({ baseURL: `${network.gatewayUrl}/v1`, apiKey: 'unused', fetch })
const answer = await client.chat.completions.create({
  model: 'smollm2-135m-instruct',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
})
console.log(answer.choices[0]?.message.content)
