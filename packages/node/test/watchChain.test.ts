/** What a node asks of the chain while it serves, and how long it waits for it. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  CONTRACT_NAMES,
  type Contracts,
  inferenceEscrowAbi,
  type Network,
  opgAbi,
  SCHEME,
  spendingGrantsAbi,
} from '@assay/protocol'
import type { CheckedPayment } from '@assay/verify'
import {
  type Address,
  createPublicClient,
  custom,
  decodeFunctionData,
  encodeFunctionResult,
  type Hex,
  numberToHex,
  zeroAddress,
  zeroHash,
} from 'viem'
import type { NodeChain } from '../src/chain/nodeChain.ts'
import { watchChain } from '../src/chain/watchChain.ts'

const GATEWAY: Address = '0x00000000000000000000000000000000000000a5'
const TILL: Address = '0x00000000000000000000000000000000000000a4'
const PAYER: Address = '0x00000000000000000000000000000000000000a7'
const GRANT: Hex = `0x${'01'.repeat(32)}`
const abi = [...inferenceEscrowAbi, ...opgAbi, ...spendingGrantsAbi]

/** What the chain answers, and the questions that still wait for it where it is slow. */
const state = {
  values: {} as Record<string, unknown>,
  isSlow: false,
  asked: [] as string[],
  waiting: [] as (() => void)[],
}
/** Answers what is asked, once it is so many questions. */
async function answer(questions: number): Promise<void> {
  while (state.waiting.length < questions) await turn()
  for (const say of state.waiting.splice(0)) say()
}
beforeEach(() => {
  state.values = {
    tillOf: TILL,
    payment: [zeroAddress, zeroAddress, 0n, 0n, 0n, 0],
    consumedAuthorization: zeroHash,
    balanceOf: 100n,
    account: [100n, 0n, 0n, true],
  }
  state.isSlow = false
  state.asked = []
})

const block = { number: '0x1', hash: GRANT, timestamp: '0x1', transactions: [] }
async function request({ method, params }: { method: string; params?: unknown }): Promise<unknown> {
  if (method === 'eth_blockNumber') return numberToHex(1)
  if (method === 'eth_getBlockByNumber') return block
  assert.equal(method, 'eth_call')
  const [{ data }] = params as [{ data: Hex }]
  const { functionName } = decodeFunctionData({ abi, data })
  state.asked.push(functionName)
  if (state.isSlow) await new Promise<void>((resolve) => state.waiting.push(resolve))
  return encodeFunctionResult({ abi, functionName, result: state.values[functionName] } as never)
}

let chain: NodeChain
before(async () => {
  const contracts = Object.fromEntries(CONTRACT_NAMES.map((name) => [name, GATEWAY])) as Contracts
  const client = createPublicClient({ transport: custom({ request }, { retryCount: 0 }) })
  chain = await watchChain({
    client,
    network: { contracts } as Network,
    modelIds: [],
    onError: () => undefined,
  })
})
after(() => chain?.close())

const exact = {
  scheme: 'exact',
  schemeId: SCHEME.exact,
  payer: PAYER,
  requestId: GRANT,
  paymentNonce: GRANT,
  amount: 100n,
} as CheckedPayment
const upto = { ...exact, scheme: 'upto', schemeId: SCHEME.upto } as CheckedPayment

test('a payment is asked about in one go, and refused for what makes it worthless', async () => {
  state.isSlow = true
  const first = chain.whyUncollectable(exact)
  await answer(3)
  assert.deepEqual(state.asked.sort(), ['balanceOf', 'consumedAuthorization', 'payment'])
  assert.equal(await first, undefined)
  state.isSlow = false
  const inState = (number: number) => [zeroAddress, zeroAddress, 0n, 0n, 0n, number]
  const cases: [CheckedPayment, Record<string, unknown>, RegExp | undefined][] = [
    [upto, {}, undefined],
    [exact, { balanceOf: 99n }, /the payer has/],
    [upto, { balanceOf: 99n }, /the payer has/],
    [exact, { consumedAuthorization: GRANT }, /used or cancelled/],
    [exact, { payment: inState(2) }, /has been used/],
    // Locked for this very request: consumed by its collection, and the payer needs nothing more.
    [exact, { payment: inState(1), consumedAuthorization: GRANT, balanceOf: 0n }, undefined],
  ]
  for (const [payment, values, reason] of cases) {
    Object.assign(
      state.values,
      { payment: inState(0), consumedAuthorization: zeroHash, balanceOf: 100n },
      values,
    )
    const why = await chain.whyUncollectable(payment)
    if (reason === undefined) assert.equal(why, undefined)
    else assert.match(why ?? '', reason)
  }
})

test('the account of a grant in use is never waited for, and is read again behind the call', async (context) => {
  let at = 1_000
  context.mock.method(performance, 'now', () => at)
  assert.equal((await chain.grantAccount(GRANT)).revokedAt, 0n)
  state.values.account = [100n, 0n, 7n, true]
  state.isSlow = true
  at += 1_000
  assert.equal((await chain.grantAccount(GRANT)).revokedAt, 0n)
  await answer(1)
  // The next call hears of the revocation.
  while ((await chain.grantAccount(GRANT)).revokedAt === 0n) await turn()
  assert.equal(state.asked.length, 2)
  // Nothing is begun on what is older than half the leeway.
  at += 60_000
  const late = chain.grantAccount(GRANT)
  const first = await Promise.race([late, turn('waits')])
  assert.equal(first, 'waits')
  await answer(1)
  assert.equal((await late).revokedAt, 7n)
})

test('a till is waited for once; a gateway without one is asked about again', async () => {
  assert.equal(await chain.tillOf(GATEWAY), TILL.toLowerCase())
  state.values.tillOf = zeroAddress
  assert.equal(await chain.tillOf(GATEWAY), TILL.toLowerCase())
  assert.equal(await chain.tillOf(PAYER), undefined)
  state.values.tillOf = TILL
  assert.equal(await chain.tillOf(PAYER), TILL.toLowerCase())
})
