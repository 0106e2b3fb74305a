/** Which nonces an account has used, read from the token's events on a real chain, and by its own word beside that. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { createSender, type Devnet, startDeployedDevnet } from '@assay/chain'
import { type Network, OPG_DOMAIN, opgAbi } from '@assay/protocol'
import { type Hex, numberToHex, type PublicClient } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { AUTHORISATION_TYPES } from '../../../test/faults/payments.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { connectRpc } from '../src/chain/rpc.ts'
import { connectUsedNonces } from '../src/chain/usedNonces.ts'
import { account } from './realChain.ts'

/** EIP-3009, as what pays. */
const CANCEL_TYPES = {
  CancelAuthorization: [
    { name: 'authorizer', type: 'address' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const
const payer = privateKeyToAccount(account('demo').privateKey)
const nonceAt = (index: number): Hex => numberToHex(index, { size: 32 })

let devnet: Devnet
let network: Network
let client: PublicClient
let read: ReturnType<typeof connectUsedNonces>

before(async () => {
  ;({ devnet, network, client } = await startDeployedDevnet(temporaryFolder('gateway')))
  read = connectUsedNonces(connectRpc(network), network.contracts)
})
after(() => devnet?.close())

const token = () => ({ address: network.contracts.OPG, abi: opgAbi }) as const
const domain = () => ({
  ...OPG_DOMAIN,
  chainId: network.chainId,
  verifyingContract: network.contracts.OPG,
})
const send = (functionName: 'transferWithAuthorization' | 'cancelAuthorization', args: readonly unknown[]) =>
  createSender({ network, privateKey: account('gateway').privateKey }).send({
    ...token(),
    functionName,
    args: args as never,
  })

async function pay(nonce: Hex): Promise<void> {
  const message = {
    ...{ from: payer.address, to: account('treasury').address, value: 1n, validAfter: 0n },
    ...{ validBefore: 1n << 40n, nonce },
  }
  const signature = await payer.signTypedData({
    ...{ domain: domain(), types: AUTHORISATION_TYPES, primaryType: 'TransferWithAuthorization', message },
  })
  await send('transferWithAuthorization', [...Object.values(message), signature])
}
async function cancel(nonce: Hex): Promise<void> {
  const message = { authorizer: payer.address, nonce }
  const signature = await payer.signTypedData({
    ...{ domain: domain(), types: CANCEL_TYPES, primaryType: 'CancelAuthorization', message },
  })
  await send('cancelAuthorization', [payer.address, nonce, signature])
}
const isUsed = (nonce: Hex): Promise<boolean> =>
  client.readContract({ ...token(), functionName: 'authorizationState', args: [payer.address, nonce] })
const mine = (blocks: number) => devnet.admin('anvil_mine', [numberToHex(blocks)])

test('what was paid and what was cancelled is found, all of it and behind a block, and nobody else’s', async () => {
  await pay(nonceAt(1))
  await cancel(nonceAt(2))
  const all = await read(payer.address)
  assert.deepEqual(all?.nonces.toSorted(), [nonceAt(1), nonceAt(2)])
  for (const nonce of [1, 2, 3].map(nonceAt)) assert.equal(await isUsed(nonce), all?.nonces.includes(nonce))
  await pay(nonceAt(3))
  assert.ok((await read(payer.address, all?.known))?.nonces.includes(nonceAt(3)))
  assert.deepEqual((await read(account('node').address))?.nonces, [])
})

test('what was read is not read again, but for the last blocks of the first reading', async () => {
  await mine(20)
  await pay(nonceAt(10))
  const all = await read(payer.address)
  const again = await read(payer.address, all?.known)
  assert.deepEqual(again?.nonces, [nonceAt(10)])
  await pay(nonceAt(11))
  assert.deepEqual((await read(payer.address, again?.known))?.nonces, [nonceAt(11)])
})

test('a chain that took back the block in question says so', async () => {
  const { known } = (await read(payer.address)) ?? {}
  assert.ok(known !== undefined)
  await devnet.admin('anvil_rollback', [12])
  assert.equal(await read(payer.address, known), undefined)
  await mine(20)
  assert.equal(await read(payer.address, known), undefined)
  assert.notDeepEqual((await read(payer.address))?.known, known)
})

test('whatever is no answer to the question is refused', async (t) => {
  let answer = ''
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const from = connectUsedNonces(connectRpc({ rpcUrl: `http://127.0.0.1:${port}` }), network.contracts)
  const since = { number: 7n, hash: nonceAt(9) }
  const block = { id: 0, result: { number: '0x7', hash: since.hash } }
  const known = { number: 8n, hash: nonceAt(8) }
  const head = { id: 2, result: { number: '0x8', hash: known.hash } }
  const answers: Record<string, unknown> = {
    'no events': [block, head],
    'events that are an error': [block, { id: 1, error: { code: -32_005 } }, head],
    'an event without its nonce': [block, { id: 1, result: [{ topics: ['0x', '0x'] }] }, head],
    'no head': [block, { id: 1, result: [] }, { id: 2, result: { number: 'high' } }],
    'nothing of the block': [{ id: 1, result: [] }, head],
    'more than three thousand payments': [block, { id: 1, result: 'x'.repeat(3 << 20) }, head],
  }
  for (const [what, said] of Object.entries(answers)) {
    answer = JSON.stringify(said)
    await assert.rejects(from(payer.address, since), what)
  }
  answer = JSON.stringify([block, { id: 1, result: [] }, head])
  assert.deepEqual(await from(payer.address, since), { nonces: [], known })
  answer = JSON.stringify([{ id: 0, result: null }, { id: 1, error: {} }, head])
  assert.equal(await from(payer.address, since), undefined)
})
