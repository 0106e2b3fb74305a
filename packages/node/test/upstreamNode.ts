/** A node in front of scripted servers, and its clients. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { ProviderName, Target } from '../src/engines/upstream/providers.ts'
import { startUpstreamEngine } from '../src/engines/upstream/startUpstreamEngine.ts'
import { type PaidAnswer, payingFetch, startTestServer } from './harness.ts'
import { type Answering, startUpstream } from './scriptedUpstream.ts'

export const KEY = 'sk-secret-of-the-operator'
export const hello = [{ role: 'user' as const, content: 'Hello' }]

/** A node in front of one scripted server per answer given, asked in this order. */
export async function nodeOver(t: TestContext, provider: ProviderName, ...scripts: (Answering | 'absent')[]) {
  return nodeWith(t, { provider }, ...scripts)
}

/** The same, where the operator says what the servers drop. */
export async function nodeWith(
  t: TestContext,
  { provider, ignores }: { provider: ProviderName; ignores?: readonly string[] },
  ...scripts: (Answering | 'absent')[]
) {
  const upstreams = await Promise.all(
    scripts.map(async (script) => {
      const upstream = await startUpstream(script === 'absent' ? () => undefined : script)
      if (script === 'absent') await upstream.close()
      else t.after(() => upstream.close())
      return upstream
    }),
  )
  const targets = upstreams.map(({ url }): Target => ({ provider, baseUrl: url, model: 'theirs', key: KEY }))
  const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 4, ignores })
  const node = await startTestServer({ engine, modes: ['bonded'] })
  t.after(async () => {
    assert.ok(!JSON.stringify(node.events).includes('secret'), 'no key is logged')
    await node.close()
    await engine.close()
  })
  const answers: PaidAnswer[] = []
  const fetch = payingFetch(node, answers)
  return {
    node,
    upstreams,
    asked: (at = 0, turn = 0) => upstreams[at]?.asked[turn] ?? assert.fail('it was not asked'),
    receipt: () => answers.at(-1)?.receipt ?? assert.fail('no answer yet'),
    wire: () => new TextDecoder().decode(answers.at(-1)?.body),
    openai: new OpenAI({ apiKey: 'unused', baseURL: `${node.url}/v1`, maxRetries: 0, fetch }),
    anthropic: new Anthropic({ apiKey: 'unused', baseURL: node.url, maxRetries: 0, fetch }),
  }
}

export const chatAnswer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'theirs',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hi', odd: [1] }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
}
