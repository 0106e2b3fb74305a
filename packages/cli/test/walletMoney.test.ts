/** Money comes back and gets out by the command line alone: refunds, change, and everybody's share of an answer. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { createSender } from '@assay/chain'
import { type Gateway, startGateway } from '@assay/gateway'
import { type Network, opgAbi } from '@assay/protocol'
import { fundGrant, grantAccount, openGrant } from '@assay/sdk'
import { type Hex, numberToHex, parseEther } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { until } from '../../../test/until.ts'
import { BODY } from '../../gateway/test/fixtures.ts'
import { account, type RealChain, startRealChain } from '../../gateway/test/realChain.ts'
import { openRefusingRpc } from './refusingRpc.ts'
import { runAssay } from './runAssay.ts'

const PRICE = 1_000_000n
/** REFUND_TIMEOUT of an unhurried chain. */
const REFUND_SECONDS = 4 * 3600
let world: RealChain
let gateway: Gateway
let networkFile: string

async function gatewayThat(batches: boolean): Promise<void> {
  await gateway?.close()
  gateway = await startGateway({
    network: world.network,
    privateKey: account('gateway').privateKey,
    dataDir: join(world.directory, 'gateway'),
    port: 0,
    batch: { maxDelayMs: batches ? 100 : 36_000_000 },
    log: () => {},
  })
  world.join(gateway)
}

before(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('ASSAY_')) delete process.env[name]
  world = await startRealChain()
  networkFile = join(world.directory, 'network.json')
  writeFileSync(networkFile, JSON.stringify(world.network))
})
after(async () => {
  delete process.env.ASSAY_WALLET_KEY
  await gateway?.close()
  await world.close()
})

type Role = Parameters<typeof account>[0]
async function wallet(role: Role, ...args: string[]) {
  process.env.ASSAY_WALLET_KEY = account(role).privateKey
  const { code, out } = await runAssay('wallet', ...args, '--network', networkFile, '--json')
  const answer = JSON.parse(out) as { payer?: string; error?: { code: string } }
  return { code, answer, refusal: answer.error?.code }
}
const balanceOf = (role: Role) =>
  world.client.readContract({
    address: world.network.contracts.OPG,
    abi: opgAbi,
    functionName: 'balanceOf',
    args: [account(role).address],
  })
const buy = () => {
  world.node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price: PRICE }
  // A price row of 5 a token would quote less than the price asked; the body is padded until it does not.
  return world.buy(gateway.url, 'exact', `${BODY}${' '.repeat(600_000)}`)
}
const pageOf = async (requestId: Hex) =>
  (await (await fetch(`${gateway.url}/v1/receipts/${requestId}`)).json()) as {
    state: string
    batchId: Hex
    payment: { state: string }
  }

test('an answer that is paid for pays everybody out: change, publisher, node, treasury; once', async () => {
  await gatewayThat(true)
  const roles = ['demo', 'publisher', 'node', 'treasury'] as const
  const before = new Map(await Promise.all(roles.map(async (role) => [role, await balanceOf(role)] as const)))
  const requestId = await buy()
  await until(async () => (await pageOf(requestId)).state === 'committed')
  await world.attest((await pageOf(requestId)).batchId)
  await until(async () => (await pageOf(requestId)).payment.state === 'settled')
  const paid = await wallet('demo', 'refund', requestId)
  assert.deepEqual([paid.code, paid.refusal], [1, 'paid'])
  for (const role of roles) {
    const { code, answer } = await wallet(role, 'withdraw')
    assert.equal(code, 0, JSON.stringify(answer))
    const again = await wallet(role, 'withdraw')
    assert.deepEqual([again.code, again.refusal], [1, 'nothing_to_withdraw'])
  }
  const gained = async (role: Role) => (await balanceOf(role)) - (before.get(role as 'demo') as bigint)
  assert.equal(await gained('demo'), -PRICE)
  assert.equal(await gained('publisher'), (PRICE * 70n) / 100n)
  assert.equal(await gained('node'), (PRICE * 15n) / 100n)
  assert.equal(await gained('treasury'), (PRICE * 5n) / 100n)
})

test('a payment whose answer was never batched comes back whole, in its time and not before', async () => {
  await gatewayThat(false)
  const before = await balanceOf('demo')
  const requestId = await buy()
  await until(async () => (await pageOf(requestId)).payment?.state === 'locked')
  const early = await wallet('demo', 'refund', requestId)
  assert.deepEqual([early.code, early.refusal], [1, 'not_due'])
  const strange = await wallet('demo', 'refund', `0x${'77'.repeat(32)}`)
  assert.deepEqual([strange.code, strange.refusal], [1, 'never_paid'])
  const wrong = await runAssay('wallet', 'refund', '0x12', '--network', networkFile)
  assert.deepEqual([wrong.code, /64 hex digits/.test(wrong.err)], [2, true])

  await world.devnet.admin('evm_increaseTime', [REFUND_SECONDS])
  await world.devnet.admin('evm_mine', [])
  // Anybody may do it for the payer.
  const { code, answer } = await wallet('publisher', 'refund', requestId)
  assert.equal(code, 0, JSON.stringify(answer))
  assert.equal(String(answer.payer).toLowerCase(), account('demo').address.toLowerCase())
  const twice = await wallet('demo', 'refund', requestId)
  assert.deepEqual([twice.code, twice.refusal], [1, 'refunded'])

  // Another contract that owes something, and does not pay: what went through before is told, and what did not.
  const unpaying = world.network.contracts.DataChallenge.toLowerCase()
  const rpc = await openRefusingRpc(world.network.rpcUrl, (method, { to }) => {
    if (to?.toLowerCase() !== unpaying) return undefined
    return method === 'eth_call' ? numberToHex(PRICE, { size: 32 }) : 'refuse'
  })
  try {
    const file = join(world.directory, 'unpaying.json')
    writeFileSync(file, JSON.stringify({ ...world.network, rpcUrl: rpc.url }))
    process.env.ASSAY_WALLET_KEY = account('demo').privateKey
    const cutShort = await runAssay('wallet', 'withdraw', '--network', file)
    assert.equal(cutShort.code, 1)
    const landed = /^refunds and change: [0-9.]+ OPG {2}(0x[0-9a-f]{64})\n$/.exec(cutShort.out)
    assert.ok(landed !== null, cutShort.out)
    assert.match(
      cutShort.err,
      /refused[\s\S]*done: refunds and change.*\n {2}left: data challenges: [0-9.]+ OPG\n/,
    )
    assert.equal(await balanceOf('demo'), before)
    const scripted = await runAssay('wallet', 'withdraw', '--network', file, '--json')
    assert.deepEqual([scripted.code, JSON.parse(scripted.out).error.code], [1, 'conflict'])
  } finally {
    rpc.close()
  }
})

test('a grant that was opened where no gateway answers is named, with the way to its key: it is paid for', async () => {
  const away = join(world.directory, 'away.json')
  writeFileSync(away, JSON.stringify({ ...world.network, gatewayUrl: 'http://127.0.0.1:9' }))
  process.env.ASSAY_WALLET_KEY = account('demo').privateKey
  const asked = ['wallet', 'grant', 'create', '--deposit', '1', '--network', away, '--json']
  const { code, out, err } = await runAssay(...asked)
  // Beside the answer, as they landed.
  assert.match(err, /^approve {2}0x[0-9a-f]{64}\nopen {2}0x[0-9a-f]{64}\n$/)
  const { error } = JSON.parse(out) as { error: { code: string; facts: { grantId: string }; next: string } }
  assert.deepEqual([code, error.code], [3, 'key_not_made'])
  assert.ok(error.next.endsWith(`assay wallet grant key ${error.facts.grantId}`))
  const listed = await runAssay('wallet', 'grant', 'list', '--network', away)
  assert.ok(listed.out.includes(error.facts.grantId), listed.out)
})

test('a grant is opened and paid into by the SDK alone, which gives the allowance unheard', async () => {
  const { network } = world
  const { privateKey } = account('demo')
  const limits = { maxTotal: 40n * PRICE, maxPerCall: PRICE, deposit: PRICE }
  const expiry = (await world.client.getBlock()).timestamp + 100_000n
  const { grantId, grant } = await openGrant({ network, privateKey, expiry, ...limits })
  await fundGrant(network, privateKey, grant, 2n * PRICE)
  assert.equal((await grantAccount(network, grantId)).funded, 3n * PRICE)
})

test('a deposit that the wallet does not hold is refused before anything is sent, in OPG', async () => {
  process.env.ASSAY_WALLET_KEY = account('demo').privateKey
  const asked = ['wallet', 'grant', 'create', '--deposit', '999999999', '--network', networkFile]
  const { code, out, err } = await runAssay(...asked)
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /holds less than that[\s\S]*balance: [0-9.]+ OPG\n {2}amount: 999999999 OPG\n/)
})

test('a key that was made is shown although the chain is away from then on: it exists nowhere else', async () => {
  let isAway = false
  const chain = createServer((request, response) => {
    if (isAway) return void request.socket.destroy()
    const asked = new Request(world.network.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Readable.toWeb(request) as ReadableStream,
      duplex: 'half',
    })
    void fetch(asked).then(async (answer) => response.end(await answer.text()))
  })
  const stating = createServer((request, response) => {
    isAway = true
    request.resume().on('end', () => response.end('{}'))
  })
  const portOf = async (server: Server) => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  try {
    const file = join(world.directory, 'leaving.json')
    const [rpcUrl, gatewayUrl] = [await portOf(chain), await portOf(stating)]
    writeFileSync(file, JSON.stringify({ ...world.network, rpcUrl, gatewayUrl }))
    process.env.ASSAY_WALLET_KEY = account('demo').privateKey
    const { code, out, err } = await runAssay(
      ...['wallet', 'grant', 'create', '--deposit', '1', '--network', file],
    )
    assert.equal(code, 0, err)
    assert.match(out, /assay_[A-Za-z0-9_-]{43}/)
  } finally {
    for (const server of [chain, stating]) {
      server.closeAllConnections()
      server.close()
    }
  }
})

test('a demo account that has spent its money is given more on demand, under a profile too; no stranger is', async () => {
  const { network } = world
  const { OPG } = network.contracts
  const demo = createSender({ network, privateKey: account('demo').privateKey })
  const rest = (await balanceOf('demo')) - PRICE
  await demo.send({
    ...{ address: OPG, abi: opgAbi, functionName: 'transfer' },
    args: [account('publisher').address, rest],
  })
  assert.equal((await wallet('demo', 'fund')).code, 0)
  assert.equal(await balanceOf('demo'), parseEther('1000'))

  delete process.env.ASSAY_WALLET_KEY
  const privateKey: Hex = `0x${'5a'.repeat(32)}`
  const own = { address: privateKeyToAddress(privateKey), privateKey }
  const file = join(world.directory, 'own-demo.json')
  const fundIn = async (changes: Partial<Network>) => {
    writeFileSync(file, JSON.stringify({ ...network, accounts: { demo: own }, ...changes }))
    return runAssay('wallet', 'fund', '--network', file)
  }
  const strange = await fundIn({})
  assert.deepEqual([strange.code, /Only a development network/.test(strange.err)], [1, true])
  const profile = {
    ...({ name: 'opengradient', endpoint: 'https://127.0.0.1:4443', tlsCertificate: '0x30' } as const),
    ...{ payer: own.address, registry: OPG, settlement: OPG },
  }
  const { code, out, err } = await fundIn({ profile })
  assert.equal(code, 0, err)
  assert.match(out, /holds 1000 OPG; Permit2 is approved/)
})
