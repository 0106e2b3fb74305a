import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AssayError } from '@assay/protocol'
import { type Address, type Hex, parseAbi, toFunctionSelector } from 'viem'
import { freePorts } from '../../../test/freePorts.ts'
import { createSender, type Devnet, developmentAccount, publicClientOf, startDevnet } from '../src/index.ts'

let devnet: Devnet
let folder: string
let network: { chainId: number; rpcUrl: string }
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
  devnet = await startDevnet({ dir: folder, port: 0 })
  network = { chainId: devnet.chainId, rpcUrl: devnet.url }
})
after(async () => {
  await devnet.close()
  rmSync(folder, { recursive: true, force: true })
})

const receiver = developmentAccount(18).address
const keyOf = (index: number): Hex => developmentAccount(index).privateKey

test('200 pipelined transactions get 200 consecutive nonces, through a death of the chain process', async () => {
  const sender = createSender({ network, privateKey: keyOf(10) })
  const client = publicClientOf(network)
  const sent = Array.from({ length: 200 }, () => sender.transferEther(receiver, 1n))
  const half = sent.slice(0, 60)
  await Promise.any(half)
  process.kill(devnet.anvilPid() as number, 'SIGKILL')
  const receipts = await Promise.all(sent)
  assert.equal(new Set(receipts.map((receipt) => receipt.transactionHash)).size, 200)
  assert.equal(await client.getTransactionCount({ address: sender.address }), 200)
  assert.equal(await client.getBalance({ address: receiver }), 1_000_000n * 10n ** 18n + 200n)
})

test('two senders of one key share its nonces', async () => {
  const one = createSender({ network, privateKey: keyOf(11) })
  const other = createSender({ network, privateKey: keyOf(11) })
  const client = publicClientOf(network)
  const receipts = await Promise.all(
    Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? one : other).transferEther(receiver, 1n)),
  )
  assert.equal(new Set(receipts.map((receipt) => receipt.transactionHash)).size, 20)
  assert.equal(await client.getTransactionCount({ address: one.address }), 20)
})

// Reverts with the selector of Nope(uint256) and the word 7; written by hand so that no compiler is needed here.
const NOPE = parseAbi(['error Nope(uint256 value)', 'function go()'])
async function deployRevert(sender: ReturnType<typeof createSender>): Promise<Address> {
  const selector = toFunctionSelector('Nope(uint256)').slice(2)
  // PUSH4 sel PUSH1 e0 SHL PUSH0 MSTORE PUSH1 7 PUSH1 4 MSTORE PUSH1 24 PUSH0 REVERT
  const runtime = `63${selector}60e01b5f52600760045260245ffd`
  const length = (runtime.length / 2).toString(16).padStart(2, '0')
  const bytecode: Hex = `0x60${length}600a5f3960${length}5ff3${runtime}`
  const { contractAddress } = await sender.deploy({ abi: [], bytecode })
  return contractAddress as Address
}

test('a refusal names the contract error, estimated or mined', async () => {
  const sender = createSender({ network, privateKey: keyOf(12) })
  const address = await deployRevert(sender)
  const named = (error: unknown) =>
    error instanceof AssayError &&
    error.code === 'conflict' &&
    error.facts.error === 'Nope' &&
    /Nope\(7\)/.test(error.message)
  await assert.rejects(sender.send({ address, abi: NOPE, functionName: 'go' }), named)
  await assert.rejects(sender.send({ address, abi: NOPE, functionName: 'go', gas: 100_000n }), named)
  const after = await sender.transferEther(receiver, 1n)
  assert.equal(after.status, 'success')
})

test('no ether and no chain are clear errors', async () => {
  const poor = createSender({ network, privateKey: `0x${'17'.repeat(32)}` })
  await assert.rejects(
    poor.transferEther(receiver, 1n),
    (error) => error instanceof AssayError && error.code === 'config',
  )
  const nowhere = createSender({
    network: { chainId: 1, rpcUrl: 'http://127.0.0.1:9' },
    privateKey: keyOf(13),
    timeout: 300,
  })
  await assert.rejects(
    nowhere.transferEther(receiver, 1n),
    (error) => error instanceof AssayError && error.code === 'unreachable',
  )
})

test('a sender waits for a chain that starts later', async () => {
  const other = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
  const port = await freePorts(1)
  const sender = createSender({
    network: { chainId: 31337, rpcUrl: `http://127.0.0.1:${port}` },
    privateKey: keyOf(14),
  })
  const receipt = sender.transferEther(receiver, 1n)
  await delay(300)
  const second = await startDevnet({ dir: other, port })
  assert.equal((await receipt).status, 'success')
  await second.close()
  rmSync(other, { recursive: true, force: true })
})
