import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { Receipt } from '@assay/protocol'
import type { Engine } from '../src/engines/engine.ts'
import { startLlamaEngine } from '../src/engines/llama/startLlamaEngine.ts'
import { SMOLLM2_MANIFEST } from '../src/models/smollm2.ts'
import { type PaidAnswer, payingFetch, startTestServer, type TestServer } from './harness.ts'
import { smollm2 } from './realModel.ts'

/**
 * A node with the real model for the tests of the enclosing `describe`.
 * @param connect makes the client under test, given the node's address and a `fetch` that pays
 */
export function aroundRealNode<Client>(connect: (url: string, fetch: typeof globalThis.fetch) => Client): {
  client: () => Client
  /** The last answer, as it was on the wire. */
  answer: () => PaidAnswer
  /** Its receipt. */
  receipt: () => Receipt
} {
  let engine: Engine | undefined
  let node: TestServer | undefined
  let client: Client | undefined
  const answers: PaidAnswer[] = []
  const answer = (): PaidAnswer => {
    const last = answers.at(-1)
    assert.ok(last !== undefined)
    return last
  }
  before(async () => {
    engine = await startLlamaEngine({ path: smollm2.path, manifest: SMOLLM2_MANIFEST })
    node = await startTestServer({ engine })
    client = connect(node.url, payingFetch(node, answers))
  })
  after(async () => {
    await node?.close()
    await engine?.close()
  })
  return {
    client() {
      assert.ok(client !== undefined)
      return client
    },
    answer,
    receipt: () => answer().receipt,
  }
}
