/** Two nodes behind one gateway, as `npm start -- --nodes 2` runs them: both answer, and one takes over when the other dies. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assayFetch } from '@assay/sdk'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

let local: LocalNetwork
let pay: typeof fetch
before(async () => {
  local = await createLocalNetwork({ ASSAY_NODE_COUNT: '2' })
  const { network } = local
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  pay = assayFetch({ network, privateKey: demo.privateKey })
})
after(() => local?.close())

const body = JSON.stringify({
  model: 'smollm2-135m-instruct',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 6,
})

/** One verified answer: who gave it, and as which attempt. */
async function ask(headers: Record<string, string> = {}) {
  const response = await pay(`${local.network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.match(text, /Paris/)
  const route = response.headers.get('x-assay-route') ?? ''
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  return { route, requestId, node: /node="(0x[0-9a-f]{40})"/.exec(route)?.[1] }
}

type Nodes = {
  data: { operator: string; healthy: boolean; models: { modes: string[]; keyValid: boolean }[] }[]
}
async function nodes(): Promise<Nodes['data']> {
  return ((await (await fetch(`${local.network.gatewayUrl}/v1/nodes`)).json()) as Nodes).data
}
const bothServe = () =>
  until(
    async () => (await nodes()).every(({ healthy, models }) => healthy && models[0]?.keyValid === true),
    () => 'both nodes to serve',
  )

test('the work is shared, each answer says who gave it and why, and every one is verified and paid', async () => {
  await bothServe()
  const operators = local.network.nodes.map(({ operator }) => operator.toLowerCase())
  assert.equal(new Set(operators).size, 2)
  const seen = new Map<string, string>()
  await until(
    async () => {
      for (const { node, requestId } of await Promise.all([ask(), ask(), ask()]))
        seen.set(node ?? '', requestId)
      return operators.every((operator) => seen.has(operator))
    },
    () => 'both nodes to answer',
  )
  const { route } = await ask({ 'x-assay-value-at-risk': '3' })
  assert.match(
    route,
    /mode=tee; why="cheapest whose cost of corruption \([0-9.]+ OPG\) exceeds 3 OPG"; candidates=2;/,
  )
  for (const requestId of seen.values()) {
    await until(
      async () => {
        const status = await fetch(`${local.network.gatewayUrl}/v1/receipts/${requestId}`)
        return ((await status.json()) as { payment?: { state: string } }).payment?.state === 'settled'
      },
      () => `payment of ${requestId} to be settled`,
    )
  }
})

test('when a node is killed under load no call fails before its first byte, and it is back when it is started again', async () => {
  await bothServe()
  process.kill(local.pidOf('node'), 'SIGKILL')
  // Sent while the gateway may still believe in both.
  const during = await Promise.all([ask(), ask(), ask(), ask()])
  assert.equal(new Set(during.map(({ node }) => node)).size, 1)
  await bothServe()
  assert.match((await ask()).route, /candidates=2;/)
})
