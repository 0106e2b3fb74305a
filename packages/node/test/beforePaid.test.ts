/** A call may begin while the chain is asked for its payment: for whom, what is heard of it, and how it ends. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { smaller } from '@assay/protocol'
import fc from 'fast-check'
import type { Address } from 'viem'
import { createPayerCredit } from '../src/server/payerCredit.ts'
import {
  chatBody,
  PATH,
  PLENTY,
  paidHeaders,
  payment,
  type Script,
  startTestServer,
  type TestServer,
  threeWords,
} from './harness.ts'

let node: TestServer
/** The chain's word, where it is slow. */
let say: { yes: () => void; away: () => void }
let begun: PromiseWithResolvers<AbortSignal>
const sayThreeWords: Script = (options, work) => {
  begun.resolve(options.signal)
  return threeWords(options, work)
}
beforeEach(async () => {
  begun = Promise.withResolvers()
  node = await startTestServer({ script: sayThreeWords })
})

afterEach(() => node?.close())

function slowChain(): void {
  const answer = Promise.withResolvers<void>()
  answer.promise.catch(() => undefined)
  node.state.chainAnswers = answer.promise
  say = { yes: answer.resolve, away: () => answer.reject(new Error('away')) }
}

async function ask(members: Record<string, unknown> = {}, signal?: AbortSignal) {
  const paid = await payment(PLENTY)
  const headers = await paidHeaders(paid)
  const body = chatBody({ max_tokens: 3, ...members })
  const response = fetch(node.url + PATH, { method: 'POST', headers, body, ...(signal && { signal }) })
  return { response, requestId: paid.requestId }
}

/** Pays for so many answers that the next may begin unseen. */
async function earn(): Promise<void> {
  node.state.chainAnswers = Promise.resolve()
  node.state.uncollectable = ''
  node.state.script = sayThreeWords
  for (let call = 0; call < 3; call++) {
    const { response } = await ask({ max_tokens: 3 })
    await (await response).arrayBuffer()
    assert.equal((await response).status, 200)
  }
}

async function codeOf(response: Promise<Response>): Promise<string> {
  const { error } = (await (await response).json()) as { error: { code: string } }
  return `${(await response).status} ${error.code}`
}

/** Whether the engine has begun by the time that the node has nothing left to do but to wait for the chain. */
async function hasBegun(): Promise<boolean> {
  const first = await Promise.race([begun.promise.then(() => true), settled()])
  return first === true
}
async function settled(): Promise<false> {
  await fetch(`${node.url}/health`)
  await fetch(`${node.url}/health`)
  await turn()
  return false
}

test('for a payer who has paid nothing yet the chain is waited for', async () => {
  slowChain()
  const { response } = await ask()
  assert.equal(await hasBegun(), false)
  say.yes()
  assert.equal((await response).status, 200)
})

test('for one who has paid for as much the work begins, and nothing is heard of it before the chain has spoken', async () => {
  for (const stream of [false, true]) {
    await earn()
    slowChain()
    begun = Promise.withResolvers()
    const { response } = await ask({ stream })
    await begun.promise
    assert.equal(await Promise.race([response, settled()]), false)
    say.yes()
    assert.equal((await response).status, 200)
    const text = await (await response).text()
    if (stream) {
      const words = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, word]) => word).join('')
      assert.equal(words, 'one two three')
      assert.match(text, /: assay-receipt \S+\ndata: \[DONE\]/)
    } else assert.equal(JSON.parse(text).choices[0].message.content, 'one two three')
  }
})

test('where the chain refuses it the model is stopped, nothing is signed, and the next call waits', async () => {
  for (const stream of [false, true]) {
    await earn()
    slowChain()
    node.state.uncollectable = 'the payer has nothing'
    node.state.script = (options) =>
      new Promise((resolve) => {
        options.onText('one', 1)
        begun.resolve(options.signal)
        options.signal.addEventListener('abort', () => resolve({ finish: 'aborted', outputUnits: 1 }))
      })
    begun = Promise.withResolvers()
    const { response, requestId } = await ask({ stream })
    const signal = await begun.promise
    say.yes()
    assert.equal(await codeOf(response), '402 payment_uncollectable')
    assert.equal(signal.aborted, true)
    assert.equal(node.receipts.find(requestId), undefined)
    assert.equal((await response).headers.get('x-assay-receipt'), null)
    slowChain()
    begun = Promise.withResolvers()
    const next = await ask({ stream })
    assert.equal(await hasBegun(), false)
    say.yes()
    assert.equal(await codeOf(next.response), '402 payment_uncollectable')
  }
})

test('where the chain does not answer, an engine that failed meanwhile makes no receipt', async () => {
  await earn()
  slowChain()
  begun = Promise.withResolvers()
  node.state.script = async ({ signal }) => {
    begun.resolve(signal)
    throw new Error('broken')
  }
  const { response, requestId } = await ask()
  await begun.promise
  say.away()
  assert.equal(await codeOf(response), '503 chain_unreachable')
  assert.equal(node.receipts.find(requestId), undefined)
})

test('who leaves before the chain has spoken is signed for only where his payment holds', async () => {
  for (const why of ['', 'the payer has nothing']) {
    await earn()
    slowChain()
    node.state.uncollectable = why
    begun = Promise.withResolvers()
    const client = new AbortController()
    const { response, requestId } = await ask({}, client.signal)
    const signal = await begun.promise
    client.abort()
    await assert.rejects(response)
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    say.yes()
    while (node.queue.state().running > 0) await turn()
    await settled()
    assert.equal(node.receipts.find(requestId)?.receipt.price, why === '' ? 0n : undefined)
  }
})

test('what is begun in vain is never more than what was paid, in any order of calls', () => {
  const payer: Address = '0x00000000000000000000000000000000000000a7'
  const move = fc.record({ quote: fc.bigInt(1n, 50n), cost: fc.bigInt(0n, 50n), holds: fc.boolean() })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (calls) => {
      const credit = createPayerCredit()
      let paid = 0n
      let inVain = 0n
      for (const { quote, cost, holds } of calls) {
        const lent = credit.lend(payer, quote)
        if (lent && !holds) inVain += quote
        if (lent && holds) credit.add(payer, quote)
        if (holds) {
          const price = smaller(cost, quote)
          credit.add(payer, price)
          paid += price
        }
        assert.ok(inVain <= paid, `${inVain} in vain of ${paid}`)
      }
    }),
  )
})
