// The official OpenAI client, unchanged: OPENAI_BASE_URL and OPENAI_API_KEY name the gateway and a key under a
// grant (assay wallet grant create), or the proxy on this machine and its token (assay proxy).
import OpenAI from 'openai'

const client = new OpenAI()
const stream = await client.chat.completions.create({
  model: 'smollm2-135m-instruct',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
