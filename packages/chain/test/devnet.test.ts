import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { createPublicClient, type Hex, http, type PublicClient, parseGwei } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { until } from '../../../test/until.ts'
import { developmentAccount, startDevnet } from '../src/index.ts'

const folders: string[] = []
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
  folders.push(folder)
  return folder
}

async function startChild(folder: string): Promise<{ child: ChildProcess; url: string; anvilPid: number }> {
  const script = path.join(import.meta.dirname, 'fixtures', 'devnetChild.ts')
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let text = ''
  for await (const chunk of child.stdout) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return { child, ...(JSON.parse(text) as { url: string; anvilPid: number }) }
}

function clientOf(url: string): PublicClient {
  return createPublicClient({ transport: http(url, { retryCount: 8 }), cacheTime: 0 })
}

const receiver = developmentAccount(19).address

async function sendTransfer(client: PublicClient, nonce: number): Promise<Hex> {
  const raw = await privateKeyToAccount(developmentAccount(0).privateKey).signTransaction({
    chainId: 31337,
    type: 'eip1559',
    to: receiver,
    value: 1n,
    gas: 21_000n,
    nonce,
    maxFeePerGas: parseGwei('10'),
    maxPriorityFeePerGas: 1n,
  })
  return client.request({ method: 'eth_sendRawTransaction', params: [raw] })
}

/** Of a snapshot file: its first line. */
function headerOf(file: string): { block: number } {
  const content = readFileSync(file)
  return JSON.parse(content.toString('utf8', 0, content.indexOf(0x0a))) as { block: number }
}

function isRunning(pid: number): boolean {
  try {
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function killed({ child, anvilPid }: { child: ChildProcess; anvilPid: number }): Promise<void> {
  child.kill('SIGKILL')
  try {
    process.kill(anvilPid, 'SIGKILL')
  } catch {
    // The watcher was quicker.
  }
  await until(
    () => !isRunning(anvilPid),
    () => 'the chain process to end',
  )
}

test('a devnet that is killed without warning keeps confirmed and accepted transactions', async () => {
  const folder = temporaryFolder()
  const first = await startChild(folder)
  const client = clientOf(first.url)
  const confirmed = await sendTransfer(client, 0)
  await client.waitForTransactionReceipt({ hash: confirmed, pollingInterval: 100 })
  const accepted: Hex[] = []
  for (let nonce = 1; nonce <= 20; nonce++) accepted.push(await sendTransfer(client, nonce))
  await killed(first)

  const second = await startChild(folder)
  const again = clientOf(second.url)
  for (const hash of [confirmed, ...accepted]) {
    const receipt = await again.waitForTransactionReceipt({ hash, pollingInterval: 100 })
    assert.equal(receipt.status, 'success')
  }
  assert.equal(await again.getTransactionCount({ address: developmentAccount(0).address }), 21)
  await killed(second)
})

test('a damaged newest snapshot and a torn journal fall back without loss; one of many bytes wrong is noticed', async () => {
  const folder = temporaryFolder()
  const devnet = await startDevnet({ dir: folder, port: 0 })
  const client = clientOf(devnet.url)
  await client.waitForTransactionReceipt({ hash: await sendTransfer(client, 0), pollingInterval: 100 })
  await devnet.snapshot()
  const last = await sendTransfer(client, 1)
  await client.waitForTransactionReceipt({ hash: last, pollingInterval: 100 })
  await devnet.close()

  const snapshots = path.join(folder, 'snapshots')
  const newest = path.join(snapshots, readdirSync(snapshots).sort().at(-1) as string)
  const content = readFileSync(newest)
  content[content.length - 9] = (content[content.length - 9] as number) ^ 1
  writeFileSync(newest, content)
  appendFileSync(path.join(folder, 'transactions.log'), Buffer.from([0, 0, 0, 90, 1, 2, 3]))

  const events: string[] = []
  const again = await startDevnet({ dir: folder, port: 0, log: (event) => events.push(event) })
  assert.ok(events.includes('chain.snapshot_skipped'))
  const receipt = await clientOf(again.url).waitForTransactionReceipt({ hash: last, pollingInterval: 100 })
  assert.equal(receipt.status, 'success')
  await again.close()

  for (const name of readdirSync(snapshots)) writeFileSync(path.join(snapshots, name), 'x')
  await assert.rejects(
    startDevnet({ dir: folder, port: 0 }),
    (error) => error instanceof AssayError && error.code === 'config',
  )
})

test('a chain process that dies alone is started again behind the same port', async () => {
  const devnet = await startDevnet({ dir: temporaryFolder(), port: 0 })
  const client = clientOf(devnet.url)
  const hash = await sendTransfer(client, 0)
  const pid = devnet.anvilPid() as number
  process.kill(pid, 'SIGKILL')
  await until(
    () => devnet.anvilPid() !== pid && devnet.anvilPid() !== undefined,
    () => 'another process',
  )
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  assert.equal(receipt.status, 'success')
  await devnet.close()
})

test('of a chain that nobody used, a kill takes the newest few blocks and no more', async () => {
  const folder = temporaryFolder()
  const devnet = await startDevnet({ dir: folder, port: 0 })
  await devnet.admin('anvil_mine', ['0x12c'])
  const snapshots = path.join(folder, 'snapshots')
  const savedBlock = () =>
    Math.max(...readdirSync(snapshots).map((name) => headerOf(path.join(snapshots, name)).block))
  await until(
    () => savedBlock() >= 300,
    () => 'the empty blocks to be saved',
  )
  const pid = devnet.anvilPid() as number
  process.kill(pid, 'SIGKILL')
  await until(
    () => devnet.anvilPid() !== pid && devnet.anvilPid() !== undefined,
    () => 'another process',
  )
  assert.ok((await clientOf(devnet.url).getBlockNumber()) >= 300n)
  await devnet.close()
})

test('the chain process ends with its killed parent', { skip: process.platform !== 'linux' }, async () => {
  const started = await startChild(temporaryFolder())
  assert.ok(isRunning(started.anvilPid))
  started.child.kill('SIGKILL')
  await until(
    () => !isRunning(started.anvilPid),
    () => 'the chain process to end',
  )
})

test('a taken port, a folder in use and a folder of another chain are clear errors', async () => {
  const folder = temporaryFolder()
  const devnet = await startDevnet({ dir: folder, port: 0 })
  const { port } = devnet
  await assert.rejects(
    startDevnet({ dir: temporaryFolder(), port }),
    (error) => error instanceof AssayError && error.code === 'config' && error.message.includes(String(port)),
  )
  await assert.rejects(
    startDevnet({ dir: folder, port: 0 }),
    (error) => error instanceof AssayError && error.code === 'conflict',
  )
  await devnet.close()
  await assert.rejects(
    startDevnet({ dir: folder, port: 0, chainId: 1337 }),
    (error) => error instanceof AssayError && error.code === 'config' && error.facts.holds === 31337,
  )
})
