/** Grants on their way from open to taken back, on a chain whose clock the test moves: what is told of them, and refused. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  DEVELOPMENT_ROLES,
  type Devnet,
  developmentAccount,
  publicClientOf,
  startDeployedDevnet,
} from '@assay/chain'
import type { Network } from '@assay/protocol'
import { openGrant, SdkError } from '@assay/sdk'
import { type Hex, parseEther, zeroAddress } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { describeGrant } from '../src/grant/describeGrant.ts'
import { runAssay } from './runAssay.ts'

const DAY = 86_400
/** DEPOSIT_WITHDRAWAL of an unhurried network, seconds. */
const WAIT = 4 * 3600
const payer = developmentAccount(DEVELOPMENT_ROLES.demo)
let devnet: Devnet
let network: Network
let networkFile: string
/** A gateway that takes every key, and knows of no call; of grants that it has not heard of, not even that. */
let gateway: Server
let unheardOf = ''

before(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('ASSAY_')) delete process.env[name]
  const folder = temporaryFolder('wallet-grant')
  gateway = createServer((request, response) => {
    if (unheardOf !== '' && request.url?.includes(unheardOf)) response.statusCode = 404
    const answer = response.statusCode === 404 ? { error: { message: 'No.' } } : { calls: [], hasMore: false }
    request.resume().on('end', () => response.end(JSON.stringify(answer)))
  })
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening))
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  ;({ devnet, network } = await startDeployedDevnet(folder, { terms: 'unhurried', gatewayUrl }))
  networkFile = path.join(folder, 'network.json')
  writeFileSync(networkFile, JSON.stringify(network))
})
after(async () => {
  gateway?.closeAllConnections()
  gateway?.close()
  await devnet?.close()
})

const grant = (...args: string[]) => runAssay('wallet', 'grant', ...args, '--network', networkFile)
const sent = () => publicClientOf(network).getTransactionCount({ address: payer.address })
const isoOf = (seconds: bigint) => new Date(Number(seconds) * 1000).toISOString()

/** Moves the chain's clock; the next block has it. */
async function pass(seconds: number): Promise<void> {
  await devnet.admin('evm_increaseTime', [seconds])
  await devnet.admin('evm_mine', [])
}

/** Opens one that ends a day from now by the chain's clock, which the tests move ahead of the machine's. */
async function opened(): Promise<{ id: Hex; expiry: bigint }> {
  const expiry = (await publicClientOf(network).getBlock()).timestamp + BigInt(DAY)
  const limits = { maxTotal: parseEther('5'), maxPerCall: parseEther('1'), deposit: parseEther('2') }
  const { grantId } = await openGrant({ network, privateKey: payer.privateKey, expiry, ...limits })
  return { id: grantId, expiry }
}

/** What a command refuses in words and sends nothing for, where the contract would answer with the name of an error. */
async function refuses(args: string[], code: number, says: RegExp): Promise<void> {
  const before = await sent()
  const { code: exit, out, err } = await grant(...args)
  assert.deepEqual([exit, out], [code, ''], err)
  assert.match(err, says)
  assert.equal(await sent(), before, 'nothing is sent')
}

type Shown = { state: string; deposit: string; withdrawn: string; end: unknown }

async function shown(id: Hex): Promise<{ text: string; facts: Shown }> {
  const [text, json] = [await grant('show', id), await grant('show', id, '--json')]
  assert.deepEqual([text.code, json.code], [0, 0], text.err)
  const { out: listed } = await grant('list')
  const [described] = text.out.split('\n\n')
  assert.ok(listed.includes(described as string), 'list and show say the same')
  return { text: text.out, facts: JSON.parse(json.out) as Shown }
}

test('a grant that stands takes deposits up to its most, and gives nothing back', async () => {
  const { id, expiry } = await opened()
  const over =
    /more would be paid in[\s\S]*maxTotal: 5 OPG\n {2}paidIn: 2 OPG\n {2}amount: 3.5 OPG\n[\s\S]*at most 3 OPG/
  await refuses(['fund', id, '3.5'], 2, over)
  const due = isoOf(expiry + BigInt(WAIT))
  const stands = new RegExp(`still stands[\\s\\S]*due: ${due}\n[\\s\\S]*assay wallet grant revoke ${id}`)
  await refuses(['withdraw', id], 1, stands)
  assert.equal((await grant('fund', id, '3')).code, 0)
  await refuses(['fund', id, '0.1'], 2, /takes no more[\s\S]*assay wallet grant create/)
  const { text, facts } = await shown(id)
  assert.deepEqual([facts.state, facts.end], ['open', null])
  assert.match(text, /state +open\n[\s\S]*left +5 OPG\n[\s\S]*trust +gateway \S+ can spend[\s\S]*No call yet/)
})

test('a grant that no key was made under is told from the chain, though its gateway has not heard of it', async () => {
  const { id } = await opened()
  unheardOf = id
  const open = await grant('show', id)
  assert.equal(open.code, 0, open.err)
  assert.match(open.out, new RegExp(`left +2 OPG\n[\\s\\S]*has not heard of it[\\s\\S]*grant key ${id}\n$`))
  const { out } = await grant('show', id, '--json')
  const { deposit, calls } = JSON.parse(out) as { deposit: string; calls: unknown }
  assert.deepEqual([deposit, calls], [String(parseEther('2')), null])
  assert.equal((await grant('revoke', id)).code, 0)
  const ended = await grant('show', id)
  assert.match(ended.out, /never heard of it/)
  assert.doesNotMatch(ended.out, /grant key/)
})

test('a revoked grant takes no money, key or revocation, and gives the rest back in its time', async () => {
  const { id, expiry } = await opened()
  assert.equal((await grant('revoke', id)).code, 0)
  const another = /was revoked at [\s\S]*assay wallet grant create/
  await refuses(['fund', id, '1'], 1, another)
  await refuses(['key', id], 1, another)
  const rest = new RegExp(`was revoked at [\\s\\S]*left: 2 OPG\n[\\s\\S]*assay wallet grant withdraw ${id}`)
  await refuses(['revoke', id], 1, rest)
  await refuses(['withdraw', id], 1, /too early[\s\S]*due: 2[\s\S]*Come back then/)

  const { text } = await shown(id)
  assert.match(
    text,
    /state +revoked at 2\S+Z\n[\s\S]*yours again +from 2\S+Z on, with: assay wallet grant withdraw/,
  )
  assert.ok(!text.includes(isoOf(expiry)), 'it does not last until its expiry any more')
  assert.doesNotMatch(text, /can spend|one call|No call yet/)

  await pass(WAIT)
  assert.equal((await grant('withdraw', id)).code, 0)
  const back = await shown(id)
  assert.deepEqual([back.facts.deposit, back.facts.withdrawn], ['0', String(parseEther('2'))])
  assert.match(back.text, /paid in +2 OPG\n[\s\S]*taken back +2 OPG\n +left +0 OPG\n\n/)
  await refuses(['withdraw', id], 1, /nothing that could be taken back[\s\S]*assay wallet grant show/)
  await refuses(['revoke', id], 1, /was revoked at /)
})

test('a grant that has expired is told as ended, whatever is asked of it afterwards', async () => {
  const { id, expiry } = await opened()
  await pass(DAY)
  const ended = new RegExp(`ended at ${isoOf(expiry)}[\\s\\S]*assay wallet grant`)
  const asked = [
    ['fund', id, '1'],
    ['key', id],
    ['revoke', id],
  ]
  for (const args of asked) await refuses(args, 1, ended)
  await refuses(['withdraw', id], 1, /too early/)
  const { text, facts } = await shown(id)
  assert.equal(facts.state, 'ended')
  assert.ok(text.includes(`ended at ${isoOf(expiry)}`), text)
  assert.ok(text.includes(`from ${isoOf(expiry + BigInt(WAIT))} on`), text)
  assert.doesNotMatch(text, /can spend|until +2/)
})

test('what was paid for is told apart from what was taken back', () => {
  const terms = {
    payer: zeroAddress,
    gateway: zeroAddress,
    models: [],
    nodes: [],
    nonce: 0n,
    ratePerHour: 0n,
  }
  const limits = { maxTotal: parseEther('5'), maxPerCall: parseEther('1'), expiry: 2_000_000_000n }
  const spent = parseEther('0.5')
  const account = { funded: spent, spent, revokedAt: 1_900_000_000n, opened: true }
  const end = { at: 1_900_000_000n, withdrawableAt: 1_900_000_600n }
  const text = describeGrant({
    ...{ id: '0x', ...terms, ...limits, ...account, state: 'revoked' as const, end },
    ...{ deposit: 0n, withdrawn: parseEther('1.5') },
  })
  assert.match(text, /paid in +2 OPG\n +settled calls +0.5 OPG\n +taken back +1.5 OPG\n +left +0 OPG\n$/)
})

test('limits under which no call could be paid are refused by the SDK before the allowance is given', async () => {
  const { privateKey } = payer
  const usable = { maxTotal: parseEther('5'), maxPerCall: parseEther('1'), deposit: parseEther('2') }
  const before = await sent()
  for (const limits of [{ maxTotal: 0n, deposit: 0n }, { maxPerCall: 0n }, { deposit: parseEther('6') }]) {
    await assert.rejects(
      openGrant({ network, privateKey, expiry: 2_000_000_000n, ...usable, ...limits }),
      (error) => error instanceof SdkError && error.code === 'bad_input',
    )
  }
  assert.equal(await sent(), before)
})
