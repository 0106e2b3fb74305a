import type { Network } from '@assay/protocol'
import { Pool } from 'undici'
import { ask } from '../http/ask.ts'
import { readBounded } from '../nodes/readBounded.ts'

const TIMEOUT_MS = 5000
const CONNECTIONS = 16

export type RpcQuestion = { method: string; params: readonly unknown[] }

/** Puts questions to the chain in one message. @returns what it says to each; undefined where it says nothing to one */
export type Rpc = (questions: readonly RpcQuestion[], maxAnswerBytes: number) => Promise<unknown[]>

/**
 * The chain's JSON-RPC over connections that stay open, for questions that answers wait for: a general client takes
 * longer for one than the chain does.
 */
export function connectRpc({ rpcUrl }: Pick<Network, 'rpcUrl'>): Rpc {
  const { origin, pathname, search } = new URL(rpcUrl)
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  })
  return async (questions, maxAnswerBytes) => {
    const messages = questions.map((question, id) => ({ jsonrpc: '2.0', id, ...question }))
    const { statusCode, body } = await ask(pool, {
      method: 'POST',
      path: `${pathname}${search}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(messages.length === 1 ? messages[0] : messages),
    })
    const text = (await readBounded(body, maxAnswerBytes)).toString()
    const parsed: unknown = statusCode === 200 ? JSON.parse(text) : undefined
    const answers = (Array.isArray(parsed) ? parsed : [parsed]) as { id?: unknown; result?: unknown }[]
    const results = new Map(answers.map((answer) => [answer?.id, answer?.result]))
    return questions.map((_, id) => results.get(id))
  }
}
