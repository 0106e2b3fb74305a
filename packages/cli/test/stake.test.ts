import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  createSender,
  DEVELOPMENT_ROLES,
  type Devnet,
  developmentAccount,
  publicClientOf,
  readValidators,
  startDeployedDevnet,
} from '@assay/chain'
import { type Network, opgAbi, validatorStakingAbi } from '@assay/protocol'
import { encodeFunctionData, numberToHex, parseEther, zeroAddress, zeroHash } from 'viem'
import { openRefusingRpc } from './refusingRpc.ts'
import { runAssay } from './runAssay.ts'

let home: string
let devnet: Devnet
let network: Network
const [first, second] = DEVELOPMENT_ROLES.validators.map((index) => developmentAccount(index).address)
const newcomer = developmentAccount(17)

before(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('ASSAY_')) delete process.env[name]
  home = mkdtempSync(path.join(tmpdir(), 'assay-stake-'))
  ;({ devnet, network } = await startDeployedDevnet(home, { terms: 'unhurried' }))
  writeFileSync(path.join(home, 'network.json'), JSON.stringify(network))
})
after(async () => {
  await devnet?.close()
  rmSync(home, { recursive: true, force: true })
})

const run = (...args: string[]) => runAssay('stake', ...args, '--network', path.join(home, 'network.json'))
async function assay(...args: string[]): Promise<{ code: number; out: string }> {
  const { code, out, err } = await run(...args)
  return { code, out: out + err }
}

type Status = {
  totalStake: string
  costOfCorruption: string
  validators: { validator: string; delegated: string; exposure: string; openExposure: string }[]
  validator: { delegated: string; self: string }
  slashes: { taken: string }[]
  yours: { validator: string; stake: string; exits: { amount: string; target: string | null }[] }[]
}

async function status(...args: string[]): Promise<Status> {
  const { code, out } = await assay('status', ...args, '--json')
  assert.equal(code, 0, out)
  return JSON.parse(out) as Status
}

async function done(...args: string[]): Promise<string[]> {
  const { code, out } = await run(...args, '--json')
  assert.equal(code, 0, out)
  return (JSON.parse(out) as { done: { action: string }[] }).done.map(({ action }) => action)
}

/** Longer than an exit takes on an unhurried network, whichever of its epochs it begins in. */
const LEAVING_SECONDS = 5 * 3600

/** Moves the chain's clock; the next block has it. */
async function pass(seconds: number): Promise<void> {
  await devnet.admin('evm_increaseTime', [seconds])
  await devnet.admin('evm_mine', [])
}

/** As the contract that judges faults would. */
async function slash(validator: string, fraction: bigint): Promise<void> {
  const client = publicClientOf(network)
  const staking = { address: network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  let judge = await client.readContract({ ...staking, functionName: 'faultManager' })
  if (judge === zeroAddress) {
    const { address } = developmentAccount(18)
    const deployer = developmentAccount(DEVELOPMENT_ROLES.deployer)
    const sender = createSender({ network, privateKey: deployer.privateKey })
    await sender.send({ ...staking, functionName: 'setFaultManager', args: [address] })
    judge = address
  }
  const epoch = await client.readContract({ ...staking, functionName: 'currentEpoch' })
  await devnet.admin('anvil_impersonateAccount', [judge])
  await devnet.admin('anvil_setBalance', [judge, numberToHex(parseEther('1'))])
  const data = encodeFunctionData({
    ...staking,
    functionName: 'slash',
    args: [validator as `0x${string}`, epoch, fraction, zeroHash],
  })
  const hash = await devnet.admin('eth_sendTransaction', [
    { from: judge, to: staking.address, data, gas: numberToHex(2_000_000) },
  ])
  const receipt = await client.waitForTransactionReceipt({ hash: hash as `0x${string}` })
  assert.equal(receipt.status, 'success')
}

test('a delegator sees what it backs, loses with its validator, moves on and is paid out', async () => {
  assert.ok(first !== undefined && second !== undefined)
  const before = await status()
  assert.equal(before.totalStake, parseEther('3000').toString())
  assert.equal(before.costOfCorruption, parseEther('2000').toString())
  assert.equal(before.yours.length, 0)

  assert.deepEqual(await done('delegate', first, '1000'), ['delegate'])
  const backed = await status(first)
  assert.equal(backed.validator.delegated, parseEther('1000').toString())
  assert.equal(backed.yours[0]?.stake, parseEther('1000').toString())
  assert.equal(backed.slashes.length, 0)

  // Half of 2000: 200 from the own bond, of the other 800 it bears 800/1800 and the delegator 1000/1800.
  await slash(first, 5n * 10n ** 17n)
  const hit = await status(first)
  assert.equal(hit.slashes[0]?.taken, parseEther('1000').toString())
  const left = BigInt(hit.yours[0]?.stake ?? 0)
  const expected = parseEther('1000') - (parseEther('800') * 1000n) / 1800n
  assert.ok(left >= expected - 1n && left <= expected + 1n)
  const { out } = await assay('status', first)
  assert.match(out, /slashed in block [0-9]+ +1000 OPG \(50%\)/)
  assert.match(out, /cost of corruption/)
  assert.match(out, /open value +0 OPG attested and not final/)

  assert.deepEqual(await done('redelegate', first, second, '100'), ['redelegate'])
  assert.deepEqual(await done('undelegate', first, 'all'), ['undelegate'])
  const leaving = (await status()).yours[0]
  assert.equal(leaving?.stake, '0')
  assert.deepEqual(leaving?.exits.map(({ target }) => target).sort(), [second, null].sort())
  const early = await assay('claim')
  assert.equal(early.code, 1)
  assert.match(early.out, /nothing to collect yet/)

  await pass(LEAVING_SECONDS)
  assert.deepEqual((await done('claim', first)).sort(), ['bond', 'withdraw'])
  const moved = (await status()).yours
  assert.equal(moved.length, 1)
  assert.equal(moved[0]?.validator, second)
})

test('an operator registers, adds to its bond by delegating to itself, and takes it back', async () => {
  const client = publicClientOf(network)
  const bank = createSender({
    network,
    privateKey: developmentAccount(DEVELOPMENT_ROLES.deployer).privateKey,
  })
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  await bank.send({ ...token, functionName: 'transfer', args: [newcomer.address, parseEther('300')] })
  process.env.ASSAY_WALLET_KEY = newcomer.privateKey
  const poor = await assay('register', '--url', 'http://validator.test', '--self-bond', '500')
  assert.equal(poor.code, 1)
  assert.match(poor.out, /holds less than that/)
  const small = await assay('register', '--url', 'http://validator.test', '--self-bond', '1')
  assert.equal(small.code, 1)
  assert.match(small.out, /less than the least bond[\s\S]*least: 100 OPG\n[\s\S]*amount: 1 OPG\n/)
  assert.doesNotMatch(small.out, /0{18}/, 'base units')
  assert.deepEqual(await done('register', '--url', 'http://validator.test', '--self-bond', '200'), [
    'register',
  ])
  assert.deepEqual(await done('delegate', newcomer.address, '50'), ['addSelfBond'])
  assert.equal((await status(newcomer.address)).validator.self, parseEther('250').toString())
  assert.deepEqual(await done('undelegate', newcomer.address, '250'), ['undelegate'])
  const { out } = await assay('status', newcomer.address)
  assert.match(out, /below minimum/)
  await pass(LEAVING_SECONDS)
  assert.deepEqual(await done('claim'), ['withdraw'])
  const args = [newcomer.address] as const
  assert.equal(await client.readContract({ ...token, functionName: 'balanceOf', args }), parseEther('300'))
  delete process.env.ASSAY_WALLET_KEY
})

test('what was collected before a later part failed is told as it lands, and what is left with the error', async () => {
  // A devnet registers its validators side by side; it is collected from them in the order that came of it.
  const [earlier, later] = await readValidators(publicClientOf(network), network)
  assert.ok(earlier !== undefined && later !== undefined)
  for (const validator of [earlier, later]) {
    await done('delegate', validator, '10')
    await done('undelegate', validator, '10')
  }
  await pass(LEAVING_SECONDS)
  const withdraw = { abi: validatorStakingAbi, functionName: 'withdraw' } as const
  const refused = encodeFunctionData({ ...withdraw, args: [later] })
  const rpc = await openRefusingRpc(network.rpcUrl, (method, { data, input }) =>
    method === 'eth_estimateGas' && (data ?? input) === refused ? 'refuse' : undefined,
  )
  try {
    const file = path.join(home, 'refusing.json')
    writeFileSync(file, JSON.stringify({ ...network, rpcUrl: rpc.url }))
    const { code, out, err } = await runAssay('stake', 'claim', '--network', file)
    assert.equal(code, 1)
    assert.match(out, new RegExp(`^withdraw ${earlier} {2}0x[0-9a-f]{64}$`, 'm'), err)
    assert.ok(!out.includes(later), out)
    assert.match(err, new RegExp(`The contract refused[\\s\\S]*done: [^\\n]*withdraw ${earlier}`))
    assert.match(err, new RegExp(`left: withdraw ${later}\\n`))
    const again = await runAssay('stake', 'claim', '--network', file, '--json')
    assert.deepEqual([again.code, JSON.parse(again.out).error.code], [1, 'conflict'])
  } finally {
    rpc.close()
  }
  assert.deepEqual(await done('claim'), ['withdraw'])
})

test('mistakes are told before anything is sent', async () => {
  assert.ok(first !== undefined && second !== undefined)
  const cases: [string[], number, RegExp][] = [
    [['status', '0x12'], 2, /must be an address/],
    [['status', zeroAddress], 1, /No validator is registered/],
    [['delegate', zeroAddress, '1'], 1, /No validator is registered/],
    [['delegate', first, '1e5'], 2, /amount of OPG/],
    [['delegate', first, '0'], 2, /must be more than 0 OPG/],
    [['undelegate', first, '0'], 2, /must be more than 0 OPG/],
    [['redelegate', first, second, '0.0'], 2, /must be more than 0 OPG/],
    [['undelegate', first, '5000'], 1, /less than that behind/],
    [['undelegate', first, 'all'], 1, /less than that behind/],
    [['register', '--url', 'ftp://x', '--self-bond', '1'], 2, /http or https URL/],
    [['register', '--self-bond', '1'], 2, /--url/],
  ]
  for (const [args, code, says] of cases) {
    const result = await assay(...args)
    assert.match(result.out, says, args.join(' '))
    assert.equal(result.code, code, result.out)
  }
})
