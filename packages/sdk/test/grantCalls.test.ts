import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { zeroHash } from 'viem'
import { readGrantCalls, SdkError } from '../src/index.ts'
import { stubForTests } from './stubNetwork.ts'

const { network } = await stubForTests()

/** A gateway that answers every question with what it is given. */
async function askedOf(
  tell: (request: IncomingMessage) => unknown,
  ask: (at: typeof network) => Promise<void>,
) {
  const gateway = createServer((request, response) => void response.end(JSON.stringify(tell(request))))
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening))
  try {
    const { port } = gateway.address() as AddressInfo
    await ask({ ...network, gatewayUrl: `http://127.0.0.1:${port}` })
  } finally {
    gateway.closeAllConnections()
    gateway.close()
  }
}

const call = (counter: number) => ({
  counter: String(counter),
  requestId: zeroHash,
  state: 'finished',
  amount: '5',
  settled: true,
  at: '2026-01-01T00:00:00Z',
})

test('the calls of a grant are read page by page, newest first', async () => {
  await askedOf(
    (request) => {
      const before = new URL(request.url ?? '', 'http://x').searchParams.get('before')
      return { calls: before === null ? [call(3), call(2)] : [call(1)], hasMore: before === null }
    },
    async (at) => {
      const calls = await readGrantCalls(at, zeroHash)
      assert.deepEqual(
        calls.map(({ counter }) => counter),
        [3n, 2n, 1n],
      )
    },
  )
})

for (const { what, page } of [
  { what: 'the same page for ever', page: { calls: [call(1)], hasMore: true } },
  { what: 'no list', page: { hasMore: true } },
  { what: 'no numbers', page: { calls: [{ ...call(1), amount: '-1' }], hasMore: false } },
  { what: 'no object', page: 'calls' },
]) {
  test(`a gateway that tells ${what} of a grant is not believed`, async () => {
    await askedOf(
      () => page,
      (at) =>
        assert.rejects(
          readGrantCalls(at, zeroHash),
          (error) => error instanceof SdkError && error.code === 'gateway_error',
        ),
    )
  })
}
