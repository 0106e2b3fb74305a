// The official Anthropic client. The one change: a fetch that pays, signs and verifies.
import Anthropic from '@anthropic-ai/sdk'
import { createAssay } from '@assay/sdk'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { network, fetch } = createAssay({ privateKey })
const client = new Anthropic({ baseURL: network.gatewayUrl, apiKey: 'unused', fetch })
const message = await client.messages.create({
  model: 'smollm2-135m-instruct',
  max_tokens: 32,
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
})
for (const block of message.content) if (block.type === 'text') console.log(block.text)
