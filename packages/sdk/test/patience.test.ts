import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createAssay } from '../src/index.ts'
import { patience } from '../src/patience.ts'
import { manifest, messages, stubForTests } from './stubNetwork.ts'

const stub = await stubForTests()

/** How the `fetch` of this runtime finds what sends its requests. */
const FETCHES_DISPATCHER = Symbol.for('undici.globalDispatcher.1')

test('this runtime heeds how long the head of an answer is to be waited for', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening))
  try {
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    await assert.rejects(
      fetch(url, patience(1)),
      ({ cause }: { cause?: { code?: string } }) => cause?.code === 'UND_ERR_HEADERS_TIMEOUT',
    )
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})

test('what is paid for is waited for longer than a gateway waits: ten minutes', async () => {
  type Options = { method: string; headersTimeout?: number }
  type Found = { dispatch(options: Options, handler: unknown): boolean }
  const globals = globalThis as unknown as Record<symbol, Found>
  const found = globals[FETCHES_DISPATCHER]
  assert.ok(found !== undefined)
  const asked: (number | undefined)[] = []
  globals[FETCHES_DISPATCHER] = {
    dispatch(options, handler) {
      asked.push(options.headersTimeout)
      return found.dispatch(options, handler)
    },
  }
  try {
    const { llm } = createAssay({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })
    await llm.chat({ model: manifest.name, messages, wait: 'answer' })
  } finally {
    globals[FETCHES_DISPATCHER] = found
  }
  const [quote, paid] = asked
  assert.equal(asked.length, 2)
  assert.equal(quote, undefined, 'a quote has its own, shorter patience')
  assert.ok(paid !== undefined && paid > 600_000)
})
