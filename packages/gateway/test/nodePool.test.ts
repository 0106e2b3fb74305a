import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { DEFAULT_LIMITS } from '../src/limits.ts'
import { createNodePool } from '../src/nodes/nodePool.ts'
import { NODE_OPERATOR, startStubNode } from './stubNode.ts'

test('a node that leaves the list, comes back and leaves again takes no other node with it', async () => {
  const [comes, stays] = [await startStubNode(), await startStubNode(`0x${'0e'.repeat(20)}`)]
  const addressOf = ({ url, world }: typeof comes) => ({ operator: world.operator, url })
  let listed = [comes, stays]
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const pool = await createNodePool(
    async () => listed.map(addressOf),
    DEFAULT_LIMITS,
    () => {},
  )
  try {
    for (const next of [[stays], [comes, stays], [stays]]) {
      listed = next
      await pool.discover()
    }
    assert.equal(pool.nodes.find(({ operator }) => operator === NODE_OPERATOR)?.draining, true)
    mock.timers.tick(DEFAULT_LIMITS.recoverMs)
    assert.deepEqual(
      pool.nodes.map(({ url }) => url),
      [stays.url],
    )
  } finally {
    mock.timers.reset()
    await pool.close()
    await comes.close()
    await stays.close()
  }
})
