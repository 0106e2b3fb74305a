// A stream that is left early: the model stops, and what it had said is verified and paid for, nothing more.
import { createAssay } from '@assay/sdk'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { llm } = createAssay({ privateKey })
const messages = [{ role: 'user', content: 'Count to one hundred.' }]
const stream = await llm.stream({ model: 'smollm2-135m-instruct', messages, wait: 'answer' })
let words = 0
for await (const text of stream) {
  process.stdout.write(text)
  if (++words === 10) break
}
console.log('…', (await stream.result).receipt.price)
