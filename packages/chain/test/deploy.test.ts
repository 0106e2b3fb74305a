/** A deployment, step by step and again: what stands after it, and which settings it refuses. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  AssayError,
  CONTRACT_NAMES,
  opgAbi,
  opgTimelockAbi,
  PERMIT2_ADDRESS,
  teeRegistryAbi,
  X402_UPTO_PROXY_ADDRESS,
} from '@assay/protocol'
import { type Address, parseAbi, parseEther } from 'viem'
import { PARAMETERS, parameterKey } from '../src/deploy/parameters.ts'
import {
  bootstrapDevnet,
  createSender,
  DEVELOPMENT_ROLES,
  deploy,
  developmentAccount,
  publicClientOf,
} from '../src/index.ts'
import {
  account,
  approval,
  type BareChain,
  beneficiaries,
  startBareChain,
  word,
} from './support/bareChain.ts'

let on: BareChain
before(async () => {
  on = await startBareChain()
})
after(() => on.close())

const READS = parseAbi([
  'function deploymentId() view returns (bytes32)',
  'function balanceOf(address owner) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function totalSupply() view returns (uint256)',
  'function get(bytes32 key) view returns (uint256)',
  'function keys() view returns (bytes32[])',
  'function isBonded(address operator) view returns (bool)',
  'function isActive(address validator) view returns (bool)',
  'function totalStake() view returns (uint256)',
  'function escrow() view returns (address)',
])

test('deploy, interrupted and repeated, deploys once; the network is ready to act', async () => {
  const client = publicClientOf({ chainId: on.devnet.chainId, rpcUrl: on.devnet.url })
  // Breaks off in the middle: what was deployed until then must be kept.
  let steps = 0
  await assert.rejects(
    deploy({
      ...on.options(),
      onProgress: () => {
        if (++steps === 3) throw new Error('interrupted')
      },
    }),
    /interrupted/,
  )
  const half = JSON.parse(readFileSync(on.options().journalFile, 'utf8')) as {
    contracts: Record<string, string>
  }
  assert.equal(Object.keys(half.contracts).length, 5)

  const first = await deploy(on.options())
  assert.equal(first.fresh, true)
  for (const [name, address] of Object.entries(half.contracts)) {
    assert.equal(first.contracts[name as 'OPG'], address)
  }
  assert.deepEqual(Object.keys(first.contracts).sort(), [...CONTRACT_NAMES].sort())
  const nonce = await client.getTransactionCount({ address: account('deployer').address })
  const second = await deploy(on.options())
  assert.deepEqual(second, { ...first, fresh: false })
  assert.equal(await client.getTransactionCount({ address: account('deployer').address }), nonce)

  const read = { abi: READS } as const
  const { OPG, Settlement, ParamStore, NodeBond, ValidatorStaking, RevenueSplitter } = first.contracts
  const settlement = { ...read, address: Settlement } as const
  assert.equal(await client.readContract({ ...settlement, functionName: 'deploymentId' }), first.deploymentId)
  const store = { ...read, address: ParamStore } as const
  const keys = await client.readContract({ ...store, functionName: 'keys' })
  assert.equal(keys.length, Object.keys(PARAMETERS).length)
  const window = [parameterKey('CHALLENGE_WINDOW')] as const
  assert.equal(await client.readContract({ ...store, functionName: 'get', args: window }), 5n)
  const splitter = { ...read, address: RevenueSplitter } as const
  assert.equal(
    await client.readContract({ ...splitter, functionName: 'escrow' }),
    first.contracts.InferenceEscrow,
  )
  assert.ok(await client.getCode({ address: PERMIT2_ADDRESS }))
  assert.ok(await client.getCode({ address: X402_UPTO_PROXY_ADDRESS }))

  const bootstrap = {
    ...first,
    nodeUrl: 'http://127.0.0.1:4030',
    gatewayUrl: 'http://127.0.0.1:4020',
    validatorUrls: [4040, 4041, 4042].map((port) => `http://127.0.0.1:${port}`),
  }
  await bootstrapDevnet(bootstrap)
  const token = { ...read, address: OPG } as const
  const demo = account('demo').address
  const balance = () => client.readContract({ ...token, functionName: 'balanceOf', args: [demo] })
  assert.equal(await balance(), parseEther('10000'))
  const payer = createSender({ network: first, privateKey: account('demo').privateKey })
  const args = [account('publisher').address, parseEther('9999')]
  await payer.send({ address: OPG, abi: opgAbi, functionName: 'transfer', args })
  const block = await client.getTransactionCount({ address: account('deployer').address })
  await bootstrapDevnet(bootstrap)
  assert.equal(await client.getTransactionCount({ address: account('deployer').address }), block)
  const bonded = [account('node').address] as const
  assert.equal(
    await client.readContract({ ...read, address: NodeBond, functionName: 'isBonded', args: bonded }),
    true,
  )
  for (const index of DEVELOPMENT_ROLES.validators) {
    const args = [developmentAccount(index).address] as const
    assert.equal(
      await client.readContract({ ...read, address: ValidatorStaking, functionName: 'isActive', args }),
      true,
    )
  }
  assert.equal(await client.readContract({ ...token, functionName: 'totalSupply' }), parseEther('1000000000'))
  assert.equal(await balance(), parseEther('1'), 'what was spent is not given again')
  assert.ok(
    (await client.readContract({ ...token, functionName: 'allowance', args: [demo, PERMIT2_ADDRESS] })) > 0n,
  )
})

test('the deployer holds no role, and the timelock governs from the first block', async () => {
  const { contracts } = await deploy(on.options())
  const client = publicClientOf({ chainId: on.devnet.chainId, rpcUrl: on.devnet.url })
  const timelock = { address: contracts.OpgTimelock, abi: opgTimelockAbi } as const
  const names = ['DEFAULT_ADMIN_ROLE', 'PROPOSER_ROLE', 'EXECUTOR_ROLE', 'CANCELLER_ROLE'] as const
  for (const functionName of names) {
    const role = await client.readContract({ ...timelock, functionName })
    const has = (holder: Address) =>
      client.readContract({ ...timelock, functionName: 'hasRole', args: [role, holder] })
    assert.equal(await has(account('deployer').address), false, functionName)
    const governs = functionName === 'PROPOSER_ROLE' || functionName === 'CANCELLER_ROLE'
    assert.equal(await has(contracts.OpgGovernor), governs, functionName)
  }
  for (const name of ['ParamStore', 'TeeRegistry', 'Guardian', 'SupplyView'] as const) {
    const governor = await client.readContract({
      address: contracts[name],
      abi: parseAbi(['function governor() view returns (address)']),
      functionName: 'governor',
    })
    assert.equal(governor, contracts.OpgTimelock, name)
  }
  const stranger = createSender({
    network: { chainId: on.devnet.chainId, rpcUrl: on.devnet.url },
    privateKey: account('deployer').privateKey,
  })
  const wire = stranger.send({ ...timelock, functionName: 'wire', args: [account('deployer').address] })
  await assert.rejects(wire, /AlreadyWired/)
})

test('a development network votes in the enclave that it lacks, once', async () => {
  const deployed = await deploy(on.options())
  const client = publicClientOf(deployed)
  const other = { ...approval, hardwareType: word('77'), rootHash: word('78'), measurement: word('79') }
  const bootstrap = {
    ...deployed,
    nodeUrl: 'http://127.0.0.1:4030',
    gatewayUrl: 'http://127.0.0.1:4020',
    validatorUrls: [],
  }
  const approvals = [approval, other, { ...other, measurement: word('7a'), engineClasses: 3 }]
  await bootstrapDevnet({ ...bootstrap, approvals })
  const registry = { address: deployed.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  for (const { hardwareType, rootHash, measurement, engineClasses } of approvals) {
    const [root, code] = await Promise.all([
      client.readContract({ ...registry, functionName: 'root', args: [hardwareType, rootHash] }),
      client.readContract({ ...registry, functionName: 'measurement', args: [hardwareType, measurement] }),
    ])
    assert.ok(root[0] > 0n && code[0] > 0n)
    assert.equal(code[2], engineClasses)
  }
  const sent = await client.getTransactionCount({ address: account('deployer').address })
  await bootstrapDevnet({ ...bootstrap, approvals })
  assert.equal(await client.getTransactionCount({ address: account('deployer').address }), sent)
})

test('settings that must not pass', async () => {
  const config = (pattern: RegExp) => (error: unknown) =>
    error instanceof AssayError && error.code === 'config' && pattern.test(error.message)
  const { devnet: _, ...bare } = on.options()
  await assert.rejects(deploy({ ...bare, chainId: 8453 }), config(/development key/))
  await assert.rejects(
    deploy({ ...bare, chainId: 8453, insecureDevelopment: true }),
    config(/lacks a beneficiary/),
  )
  await assert.rejects(
    deploy({ ...bare, chainId: 8453, insecureDevelopment: true, beneficiaries }),
    config(/another chain/),
  )
  await assert.rejects(
    deploy({ ...on.options(), deployerKey: developmentAccount(9).privateKey }),
    config(/belongs to another/),
  )
})

test('the command deploys over any RPC, and explains what it lacks', async () => {
  const file = path.join(on.folder, 'beneficiaries.json')
  const { privateKey } = account('deployer')
  writeFileSync(file, JSON.stringify(beneficiaries))
  const run = async (args: string[]) => {
    const script = path.join(import.meta.dirname, '..', 'src', 'deployMain.ts')
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ASSAY_KEY: privateKey },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      err += String(chunk)
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    return { code, out, err }
  }
  const journal = path.join(on.folder, 'other.json')
  const common = [
    '--rpc',
    on.devnet.url,
    '--chain-id',
    '31337',
    '--journal',
    journal,
    '--beneficiaries',
    file,
  ]
  const deployed = await run([...common, '--treasury', account('treasury').address])
  assert.equal(deployed.code, 0, deployed.err)
  const { contracts } = JSON.parse(deployed.out) as { contracts: Record<string, string> }
  assert.deepEqual(Object.keys(contracts).sort(), [...CONTRACT_NAMES].sort())
  const lacking = await run(common)
  assert.equal(lacking.code, 2)
  assert.match(lacking.err, /--treasury/)
  assert.equal((await run(['--nonsense'])).code, 2)
})
