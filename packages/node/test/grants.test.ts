/** A node sees for itself that a deposit pays for a call: a gateway's word is not enough, and a stranger's is none. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  decodeReceiptHeader,
  encodeGrantHeader,
  GRANT_HEADER,
  grantIdOf,
  grantRequestId,
  quoteMaximum,
  type RequestAuth,
  requestAuthDigest,
  type SpendingGrant,
  STATUS,
  signDigest,
  smaller,
} from '@assay/protocol'
import fc from 'fast-check'
import type { Address, Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { EngineError } from '../src/engines/engine.ts'
import { SMOLLM2_MODEL_ID } from '../src/models/smollm2.ts'
import { createGrantLedger } from '../src/server/grantLedger.ts'
import {
  chatBody,
  DEPLOYMENT,
  ESCROW,
  GATEWAY,
  GATEWAY_KEY,
  hashOfRequest,
  oneWordUntilAborted,
  PATH,
  PAYER,
  PLENTY,
  PRICE,
  payment,
  type Script,
  startTestServer,
  type TestServer,
  threeWords,
} from './harness.ts'

let node: TestServer
before(async () => {
  node = await startTestServer()
})
after(() => node?.close())
const open = { funded: PLENTY, spent: 0n, revokedAt: 0n, opened: true }
beforeEach(() => {
  node.state.account = { ...open }
  node.state.accountBefore = undefined
  node.state.script = threeWords
})

const inAnHour = () => BigInt(Math.floor(Date.now() / 1000) + 3600)
let counter = 0n

function grantWith(changes: Partial<SpendingGrant> = {}): SpendingGrant {
  return {
    payer: PAYER.address.toLowerCase() as Address,
    gateway: GATEWAY,
    maxTotal: PLENTY,
    maxPerCall: PLENTY,
    ratePerHour: 0n,
    models: [],
    nodes: [],
    expiry: inAnHour(),
    nonce: ++counter,
    ...changes,
  }
}

type Calling = {
  grant?: SpendingGrant
  auth?: Partial<RequestAuth>
  by?: Hex
  counter?: bigint
  body?: string
}

async function headersFor(calling: Calling = {}): Promise<Record<string, string>> {
  const { grant = grantWith(), by = GATEWAY_KEY, body = chatBody({ max_tokens: 8 }) } = calling
  counter += 1n
  const call = { id: grantIdOf(grant, DEPLOYMENT), counter: calling.counter ?? counter }
  const headers = { 'content-type': 'application/json', 'assay-committer': GATEWAY }
  const { payer } = grant
  const auth = {
    requestId: grantRequestId({ chainId: DEPLOYMENT.chainId, escrow: ESCROW, payer, grant: call }),
    requestHash: hashOfRequest(body, headers),
    modelId: SMOLLM2_MODEL_ID,
    maxPrice: PLENTY,
    committer: GATEWAY,
    deadline: inAnHour(),
    ...calling.auth,
  }
  const signature = await signDigest(requestAuthDigest(auth, DEPLOYMENT), by)
  const pass = encodeGrantHeader({ grant, counter: call.counter, auth: { auth, signature } })
  return { ...headers, [GRANT_HEADER]: pass }
}

const ask = (headers: Record<string, string>, body = chatBody({ max_tokens: 8 })) =>
  fetch(node.url + PATH, { method: 'POST', headers, body })

async function codeOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } }
  return `${response.status} ${error.code}`
}

test('a call that the grant’s gateway signed is answered, its receipt names payer and place, and it runs once', async () => {
  const grant = grantWith()
  const headers = await headersFor({ grant })
  const answer = await ask(headers)
  assert.equal(answer.status, 200)
  const { receipt } = decodeReceiptHeader(answer.headers.get('x-assay-receipt') ?? '')
  assert.equal(receipt.payer, grant.payer)
  assert.equal(receipt.committer, GATEWAY)
  assert.ok(receipt.price > 0n)
  assert.equal(await codeOf(await ask(headers)), '409 duplicate_request')
})

test('who is not the grant’s gateway spends nothing of it, nor the gateway more than it signed for', async () => {
  for (const calling of [
    { by: generatePrivateKey() },
    { grant: grantWith({ gateway: PAYER.address.toLowerCase() as Address }) },
    { auth: { requestHash: `0x${'00'.repeat(32)}` as Hex } },
    { auth: { maxPrice: 1n } },
    { auth: { deadline: 1n } },
  ]) {
    assert.equal(await codeOf(await ask(await headersFor(calling))), '402 grant_unauthorised')
  }
  assert.equal(
    await codeOf(await ask({ ...(await headersFor()), [GRANT_HEADER]: 'e30' })),
    '402 grant_malformed',
  )
  const both = { ...(await headersFor()), 'payment-signature': (await payment(PLENTY)).header }
  assert.equal(await codeOf(await ask(both)), '400 paid_twice')
})

test('terms and the chain’s account are held against each call', async () => {
  const cases: [Calling, Partial<typeof open>, string][] = [
    [{}, { opened: false }, '402 grant_not_open'],
    [{}, { revokedAt: 1n }, '402 grant_revoked'],
    [{ grant: grantWith({ expiry: 1n }) }, {}, '402 grant_expired'],
    [{ grant: grantWith({ maxPerCall: 1n }) }, {}, '402 grant_call_limit'],
    [{ grant: grantWith({ models: [`0x${'77'.repeat(32)}`] }) }, {}, '402 grant_model'],
    [{ grant: grantWith({ nodes: [GATEWAY] }) }, {}, '402 grant_node'],
    [{}, { funded: 100n }, '402 grant_exhausted'],
  ]
  for (const [calling, account, expected] of cases) {
    node.state.account = { ...open, ...account }
    assert.equal(await codeOf(await ask(await headersFor(calling))), expected)
  }
})

test('a gateway that promises one deposit to many calls is refused the call that it no longer holds', async () => {
  const grant = grantWith()
  const first = await ask(await headersFor({ grant }))
  const { receipt } = decodeReceiptHeader(first.headers.get('x-assay-receipt') ?? '')
  // Room for one more at its highest price, but for what the first already cost.
  node.state.account.funded = receipt.price + 3000n
  let served = 0
  let last = ''
  for (let call = 0; call < 6; call++) {
    const answer = await ask(await headersFor({ grant }))
    if (answer.status === 200) served += 1
    else last = await codeOf(answer)
  }
  assert.equal(last, '402 grant_exhausted')
  assert.ok(BigInt(served + 1) * receipt.price <= node.state.account.funded)
  // What the chain has settled is not owed twice.
  node.state.account.spent = BigInt(served + 1) * receipt.price
  assert.equal(await codeOf(await ask(await headersFor({ grant }))), '402 grant_exhausted')
  node.state.account.funded += PLENTY
  assert.equal((await ask(await headersFor({ grant }))).status, 200)
})

test('a call that costs nothing leaves nothing set aside, however it came to nothing', async () => {
  const grant = grantWith()
  const body = chatBody({ max_tokens: 8 })
  const streamed = chatBody({ max_tokens: 8, stream: true })
  // The longer of the two is all that the deposit holds: what stayed set aside of any call would turn the next away.
  node.state.account.funded = quoteMaximum(PRICE, streamed.length, 8)
  const call = async (script: Script, text = body, signal?: AbortSignal) => {
    node.state.script = script
    const headers = await headersFor({ grant, body: text })
    return fetch(node.url + PATH, { method: 'POST', headers, body: text, ...(signal && { signal }) })
  }
  const fails: [expected: string, Script][] = [
    [
      '400 too_much',
      async () => {
        throw new EngineError('Too much.', { status: 400, code: 'too_much' })
      },
    ],
    [
      '500 engine_failed',
      async () => {
        throw new Error('broken')
      },
    ],
  ]
  for (const [expected, script] of fails) assert.equal(await codeOf(await call(script)), expected)
  const broken = await call(async (options) => {
    options.onText('one', 1)
    throw new Error('broken')
  }, streamed)
  assert.match(await broken.text(), /engine_failed/)
  const isReceipt = ({ event }: { event: string }) => event === 'receipt'
  // A client that is gone before a word of it was said, or before all of what was to be said at once.
  for (const [text, script] of [
    [streamed, (options, work) => oneWordUntilAborted({ ...options, onText: () => undefined }, work)],
    [body, oneWordUntilAborted],
  ] as [string, Script][]) {
    const begun = Promise.withResolvers<void>()
    const leave = new AbortController()
    const receipts = node.events.filter(isReceipt).length
    const left = call(
      (options, work) => {
        begun.resolve()
        return script(options, work)
      },
      text,
      leave.signal,
    )
    await begun.promise
    leave.abort()
    await assert.rejects(left)
    while (node.events.filter(isReceipt).length === receipts) await turn()
  }
  const free = node.events.filter(isReceipt).slice(-5)
  assert.deepEqual(
    free.map(({ status, price }) => [status, price]),
    [STATUS.failed, STATUS.failed, STATUS.failed, STATUS.cancelled, STATUS.cancelled].map((one) => [
      one,
      '0',
    ]),
  )
  assert.equal((await call(threeWords)).status, 200)
  assert.equal(await codeOf(await call(threeWords)), '402 grant_exhausted')
})

test('an account that was read before lets a call begin, and turns none away that the chain would pay now', async () => {
  for (const before of [{ opened: false }, { revokedAt: 1n }, { funded: 100n }]) {
    node.state.accountBefore = { ...open, ...before }
    assert.equal((await ask(await headersFor())).status, 200)
  }
  // Issued within the leeway after a revocation that was not heard of, an answer is paid.
  node.state.accountBefore = { ...open }
  node.state.account = { ...open, revokedAt: 1n }
  assert.equal((await ask(await headersFor())).status, 200)
})

test('the ledger never lets what is issued and open exceed the deposit, in any order of calls and settlements', () => {
  const id: Hex = `0x${'01'.repeat(32)}`
  const move = fc.record({
    kind: fc.constantFrom('reserve', 'end', 'settle'),
    amount: fc.bigInt(0n, 50n),
    pick: fc.nat(9),
  })
  fc.assert(
    fc.property(fc.bigInt(0n, 300n), fc.array(move, { maxLength: 60 }), (funded, moves) => {
      const ledger = createGrantLedger()
      const account = { funded, spent: 0n, revokedAt: 0n, opened: true }
      const openCalls = new Map<Hex, bigint>()
      let issued = 0n
      for (const [at, { kind, amount, pick }] of moves.entries()) {
        if (kind === 'reserve') {
          const requestId: Hex = `0x${at.toString(16)}`
          if (ledger.reserve(id, account, requestId, amount)) openCalls.set(requestId, amount)
        } else if (kind === 'end') {
          const [requestId, maximum] = [...openCalls][pick % Math.max(1, openCalls.size)] ?? []
          if (requestId === undefined || maximum === undefined) continue
          const price = smaller(amount, maximum)
          ledger.end(id, requestId, price)
          openCalls.delete(requestId)
          issued += price
        } else account.spent = issued
        const owed = [...openCalls.values()].reduce((sum, maximum) => sum + maximum, issued)
        assert.ok(owed <= funded, `${owed} owed of ${funded}`)
      }
    }),
  )
})
