import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  AssayError,
  assayDomain,
  batchIdOf,
  CONTRACT_NAMES,
  deploymentOf,
  groupNode,
  HARDWARE_NITRO_SIM,
  type Network,
  opgTimelockAbi,
  PERMIT2_ADDRESS,
  type SignedReceipt,
  settlementAbi,
  teeRegistryAbi,
  X402_UPTO_PROXY_ADDRESS,
} from '@assay/protocol'
import { type Address, type Hex, parseAbi, parseEther, zeroAddress, zeroHash } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { ALLOCATION, type Beneficiaries } from '../src/deploy/allocation.ts'
import { PARAMETERS, parameterKey } from '../src/deploy/parameters.ts'
import {
  bootstrapDevnet,
  createSender,
  DEVELOPMENT_ROLES,
  type Devnet,
  deploy,
  developmentAccount,
  publicClientOf,
  readChainView,
  readCommittedBatch,
  startDevnet,
} from '../src/index.ts'

const word = (byte: string): Hex => `0x${byte.repeat(32)}`
const account = (role: 'deployer' | 'treasury' | 'node' | 'demo' | 'publisher' | 'gateway') =>
  developmentAccount(DEVELOPMENT_ROLES[role])
const approval = {
  hardwareType: HARDWARE_NITRO_SIM,
  rootHash: word('a1'),
  measurement: word('b2'),
  engineClasses: 1,
}

let devnet: Devnet
let folder: string
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
  devnet = await startDevnet({ dir: path.join(folder, 'chain'), port: 0 })
})
after(async () => {
  await devnet.close()
  rmSync(folder, { recursive: true, force: true })
})

const beneficiaries = Object.fromEntries(
  ALLOCATION.map((bucket, at) => [bucket, developmentAccount(at).address]),
) as Beneficiaries

function options() {
  return {
    rpcUrl: devnet.url,
    chainId: devnet.chainId,
    deployerKey: account('deployer').privateKey,
    treasury: account('treasury').address,
    approvals: [approval],
    journalFile: path.join(folder, 'deployment.json'),
    devnet,
  }
}

function networkOf(deployed: Awaited<ReturnType<typeof deploy>>): Network {
  const { rpcUrl, chainId, deploymentId, contracts } = deployed
  return {
    rpcUrl,
    chainId,
    deploymentId,
    contracts,
    gatewayUrl: 'http://127.0.0.1:4020',
    gateway: account('gateway').address,
    nodes: [],
    validators: [],
    accounts: {},
    models: [],
  }
}

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
  const client = publicClientOf({ chainId: devnet.chainId, rpcUrl: devnet.url })
  // Breaks off in the middle: what was deployed until then must be kept.
  let steps = 0
  await assert.rejects(
    deploy({
      ...options(),
      onProgress: () => {
        if (++steps === 3) throw new Error('interrupted')
      },
    }),
    /interrupted/,
  )
  const half = JSON.parse(readFileSync(options().journalFile, 'utf8')) as {
    contracts: Record<string, string>
  }
  assert.equal(Object.keys(half.contracts).length, 5)

  const first = await deploy(options())
  assert.equal(first.fresh, true)
  for (const [name, address] of Object.entries(half.contracts)) {
    assert.equal(first.contracts[name as 'OPG'], address)
  }
  assert.deepEqual(Object.keys(first.contracts).sort(), [...CONTRACT_NAMES].sort())
  const nonce = await client.getTransactionCount({ address: account('deployer').address })
  const second = await deploy(options())
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
  const token = { ...read, address: OPG } as const
  const demo = account('demo').address
  assert.equal(await client.readContract({ ...token, functionName: 'totalSupply' }), parseEther('1000000000'))
  assert.equal(
    await client.readContract({ ...token, functionName: 'balanceOf', args: [demo] }),
    parseEther('10000'),
  )
  assert.ok(
    (await client.readContract({ ...token, functionName: 'allowance', args: [demo, PERMIT2_ADDRESS] })) > 0n,
  )
})

test('the deployer holds no role, and the timelock governs from the first block', async () => {
  const { contracts } = await deploy(options())
  const client = publicClientOf({ chainId: devnet.chainId, rpcUrl: devnet.url })
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
    network: { chainId: devnet.chainId, rpcUrl: devnet.url },
    privateKey: account('deployer').privateKey,
  })
  const wire = stranger.send({ ...timelock, functionName: 'wire', args: [account('deployer').address] })
  await assert.rejects(wire, /AlreadyWired/)
})

test('a development network votes in the enclave that it lacks, once', async () => {
  const deployed = await deploy(options())
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

test('readChainView fills what the chain knows and leaves the rest null', async () => {
  const deployed = await deploy(options())
  await bootstrapDevnet({
    ...deployed,
    nodeUrl: 'http://127.0.0.1:4030',
    gatewayUrl: 'http://127.0.0.1:4020',
    validatorUrls: [],
  })
  const network = networkOf(deployed)
  const client = publicClientOf(network)
  const operator = createSender({ network, privateKey: account('node').privateKey })
  const publisher = createSender({ network, privateKey: account('publisher').privateKey })
  const committer = createSender({ network, privateKey: account('gateway').privateKey })
  const holder = privateKeyToAccount(developmentAccount(17).privateKey)
  const key = holder.address
  const possession = await holder.signTypedData({
    domain: assayDomain(deploymentOf(network)),
    types: {
      KeyPossession: [
        { name: 'node', type: 'address' },
        { name: 'key', type: 'address' },
      ],
    },
    primaryType: 'KeyPossession',
    message: { node: operator.address, key },
  })
  const modelId = word('c3')
  const abi = parseAbi([
    'function registerBondedKey(address key, bytes signature)',
    'function publish(bytes32 modelId, string manifestURI, bytes32 weightsHash, uint128 perCall, uint128 inputPrice, uint128 outputPrice)',
  ])
  const { TeeRegistry, ModelRegistry, Settlement } = network.contracts
  const group = { node: operator.address, top: word('e5'), sum: 7n, exposure: 9n, count: 1n }
  const publish = [modelId, 'data:,x', word('d4'), 3n, 2n, 1n]
  await Promise.all([
    operator.send({ address: TeeRegistry, abi, functionName: 'registerBondedKey', args: [key, possession] }),
    publisher.send({ address: ModelRegistry, abi, functionName: 'publish', args: publish }),
    committer.send({
      address: Settlement,
      abi: settlementAbi,
      functionName: 'commit',
      args: [1n, word('f6'), [group]],
    }),
  ])
  const { hash: root } = groupNode(group.node, { ...group, hash: group.top })
  const batchId = batchIdOf({ committer: committer.address, height: 1n, root, dataHash: word('f6') })
  const anchor = await client.getBlock()
  const signed: SignedReceipt = {
    signature: '0x',
    receipt: {
      version: 1,
      requestId: word('11'),
      payer: account('demo').address,
      node: operator.address,
      key,
      seq: 1n,
      committer: committer.address,
      includeBy: 0n,
      modelId,
      priceVersion: 1n,
      engineClass: 2,
      mode: 0,
      status: 0,
      requestHash: zeroHash,
      responseHash: zeroHash,
      evidenceHash: zeroHash,
      inputUnits: 1n,
      outputUnits: 1n,
      price: 6n,
      valueAtRisk: 0n,
      anchorBlock: anchor.number,
      anchorHash: anchor.hash,
      issuedAt: anchor.timestamp,
    },
  }
  const view = await readChainView(client, network, signed, { inclusion: { batchId } })
  assert.deepEqual(view.deployment, {
    chainId: 31337,
    settlement: Settlement,
    deploymentId: network.deploymentId,
  })
  assert.equal(view.key?.node, operator.address)
  assert.equal(view.key?.bonded, true)
  assert.deepEqual([view.hardware, view.root, view.measurement, view.payment], [null, null, null, null])
  assert.deepEqual(view.anchor, { hash: anchor.hash, timestamp: anchor.timestamp })
  assert.deepEqual([view.price?.perCall, view.price?.inputPrice, view.price?.outputPrice], [3n, 2n, 1n])
  assert.equal(view.publisher, publisher.address)
  assert.deepEqual(
    [view.batch?.batchId, view.batch?.root, view.batch?.exposure, view.batch?.state],
    [batchId, root, 9n, 1],
  )
  const committed = await readCommittedBatch(client, network, batchId)
  assert.deepEqual([committed?.sum, committed?.dataHash, committed?.root], [7n, word('f6'), root])
  assert.equal(await readCommittedBatch(client, network, word('00')), null)

  const stranger = {
    ...signed.receipt,
    key: zeroAddress,
    modelId: word('00'),
    anchorBlock: 2n ** 64n - 1n,
    priceVersion: 9n,
  }
  const empty = await readChainView(
    client,
    network,
    { ...signed, receipt: stranger },
    { inclusion: { batchId: word('99') } },
  )
  assert.deepEqual(
    [empty.key, empty.price, empty.publisher, empty.anchor, empty.batch, empty.payment],
    [null, null, null, null, null, null],
  )
})

test('settings that must not pass', async () => {
  const config = (pattern: RegExp) => (error: unknown) =>
    error instanceof AssayError && error.code === 'config' && pattern.test(error.message)
  const { devnet: _, ...bare } = options()
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
    deploy({ ...options(), deployerKey: developmentAccount(9).privateKey }),
    config(/belongs to another/),
  )
})

test('the command deploys over any RPC, and explains what it lacks', async () => {
  const file = path.join(folder, 'beneficiaries.json')
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
  const journal = path.join(folder, 'other.json')
  const common = ['--rpc', devnet.url, '--chain-id', '31337', '--journal', journal, '--beneficiaries', file]
  const deployed = await run([...common, '--treasury', account('treasury').address])
  assert.equal(deployed.code, 0, deployed.err)
  const { contracts } = JSON.parse(deployed.out) as { contracts: Record<string, string> }
  assert.deepEqual(Object.keys(contracts).sort(), [...CONTRACT_NAMES].sort())
  const lacking = await run(common)
  assert.equal(lacking.code, 2)
  assert.match(lacking.err, /--treasury/)
  assert.equal((await run(['--nonsense'])).code, 2)
})
