// Assay's own client: the answer, the transaction that settled it, and the checklist that was run.
import { createAssay } from '@assay/sdk'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { llm } = createAssay({ privateKey })
const { chatOutput, transactionHash, report } = await llm.chat({
  model: 'smollm2-135m-instruct',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
})
console.log(chatOutput.content, transactionHash, report.trust)
