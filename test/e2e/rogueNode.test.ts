/**
 * A node that signs by keys no enclave is admitted for, in front of a real gateway process: the gateway asks the chain about
 * the key of every answer, and passes on none that does not count.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  actionOf,
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  passProposal,
  saveNetwork,
} from '@assay/chain'
import {
  type Contracts,
  enclaveBinding,
  HARDWARE_NITRO_SIM,
  MODE,
  modelRegistryAbi,
  type Network,
  NO_KEY_HASH,
} from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { BODY, createPayer, MODEL } from '../../packages/gateway/test/fixtures.ts'
import { type StubNode, startStubNode } from '../../packages/gateway/test/stubNode.ts'
import { nitroSimAttester, SIMULATED_MEASUREMENT } from '../../packages/node/src/enclaves/nitroSim.ts'
import { simulatedRoot } from '../../packages/node/src/enclaves/simulatedChain.ts'
import { freePorts } from '../freePorts.ts'
import { temporaryFolder } from '../temporaryFolder.ts'
import { until } from '../until.ts'
import { startEnclaveNetwork } from './enclaveNetwork.ts'

/** Seconds: longer than any run of this file. */
const KEY_TERM = 86_400n
const GATEWAY = path.resolve(import.meta.dirname, '..', '..', 'packages', 'gateway', 'src', 'main.ts')
const of = (role: keyof typeof DEVELOPMENT_ROLES) => developmentAccount(DEVELOPMENT_ROLES[role] as number)

const root = await simulatedRoot(temporaryFolder('root'))
const claim = {
  hardwareType: HARDWARE_NITRO_SIM,
  rootHash: root.rootHash,
  measurement: SIMULATED_MEASUREMENT,
}
let net: Awaited<ReturnType<typeof startEnclaveNetwork>>
let node: StubNode
let gateway: Awaited<ReturnType<typeof startGatewayProcess>>

/** The gateway as its operator starts it: a process with a file, a key, a folder and a port. */
async function startGatewayProcess(network: Network) {
  const port = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const file = path.join(net.folder, 'network.json')
  saveNetwork(file, { ...network, gatewayUrl: url })
  const child = spawn(process.execPath, [GATEWAY], {
    env: {
      ...process.env,
      ASSAY_NETWORK: file,
      ASSAY_KEY: of('gateway').privateKey,
      ASSAY_DATA: path.join(net.folder, 'gateway'),
      ASSAY_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let log = ''
  child.stdout.on('data', (chunk) => {
    log += chunk
  })
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}:\n${log}`)
      return (await fetch(`${url}/health`).catch(() => undefined))?.status === 200
    },
    () => `the gateway to be healthy:\n${log}`,
  )
  const [listening = '{}'] = log.split('\n').filter((line) => line.includes('"listening"'))
  const { till, committer } = JSON.parse(listening) as { till: Address; committer: Address }
  return {
    url,
    till,
    committer,
    async close() {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    },
  }
}

/** A key that evidence of an enclave in this state binds to the first operator, put before the validators. */
async function proposeKey(debug: boolean): Promise<{ privateKey: Hex; said: string }> {
  const [operator] = net.operators
  const privateKey = generatePrivateKey()
  const key = privateKeyToAddress(privateKey).toLowerCase() as Address
  const { number, hash } = await net.client.getBlock()
  const bound = { tlsKeyHash: NO_KEY_HASH, hpkeKeyHash: NO_KEY_HASH, anchorBlock: number, anchorHash: hash }
  const userData = enclaveBinding(net.deployment, { node: operator.address, key, ...bound })
  const attester = nitroSimAttester(root, { debug })
  const document = await attester.attest(userData)
  const judged = await net.propose(operator, { ...claim, key }, { kind: attester.kind, document, ...bound })
  return { privateKey, said: `${judged.verdict} ${judged.reason}` }
}

/** One call, paid, of which the node signs by this key. */
async function buyUnder(privateKey: Hex): Promise<{ status: number; text: string }> {
  // The chain's own time, which may be seconds from the machine's.
  const { timestamp: issuedAt } = await net.client.getBlock()
  node.script = {
    ...{ kind: 'whole', privateKey, body: new TextEncoder().encode('{"answer":"told by the node"}') },
    alter: (receipt) => ({ ...receipt, mode: MODE.tee, engineClass: 0, issuedAt }),
  }
  const payer = createPayer('exact', of('demo').privateKey, net.network.contracts.OPG)
  const url = `${gateway.url}/v1/chat/completions`
  const headers = { 'content-type': 'application/json' }
  const unpaid = await fetch(url, { method: 'POST', body: BODY, headers })
  assert.equal(unpaid.status, 402, await unpaid.clone().text())
  const paid = await fetch(url, {
    method: 'POST',
    body: BODY,
    headers: { ...headers, ...(await payer.sign(unpaid)) },
  })
  return { status: paid.status, text: await paid.text() }
}

before(async () => {
  net = await startEnclaveNetwork([{ ...claim, engineClasses: 1 }], KEY_TERM)
  node = await startStubNode(net.operators[0].address.toLowerCase() as Address)
  const contracts: Contracts = net.network.contracts
  await createSender({ network: net.network, privateKey: of('publisher').privateKey }).send({
    ...{ address: contracts.ModelRegistry, abi: modelRegistryAbi, functionName: 'publish' },
    args: [MODEL.modelId, 'model.json', `0x${'c4'.repeat(32)}`, 3n, 2n, 5n],
  })
  gateway = await startGatewayProcess({
    ...net.network,
    nodes: [{ operator: net.operators[0].address, url: node.url }],
    models: [MODEL],
  })
  const { till, committer } = gateway
  const { operator } = node.world
  node.world = { contracts, deployment: net.deployment, till, committer, model: MODEL, operator }
})
after(async () => {
  await gateway?.close()
  await node?.close()
  await net?.close()
})

const refused = ({ status, text }: { status: number; text: string }) => {
  assert.equal(status, 502, text)
  assert.match(text, /bad_receipt/)
  assert.doesNotMatch(text, /told by the node/)
}

test('the gateway passes on no answer under a key that is unknown, of a debug enclave, or revoked', async () => {
  const admitted = await proposeKey(false)
  assert.match(admitted.said, /^valid /)
  const key = privateKeyToAddress(admitted.privateKey)
  const counts = async () => {
    const { timestamp } = await net.client.getBlock()
    return net.client.readContract({
      ...net.registry,
      functionName: 'isKeyValidAt',
      args: [key, net.operators[0].address, 0, false, timestamp],
    })
  }
  await until(counts, () => 'the key to be admitted')
  const served = await buyUnder(admitted.privateKey)
  assert.equal(served.status, 200, served.text)
  assert.match(served.text, /told by the node/)

  refused(await buyUnder(generatePrivateKey()))
  const debug = await proposeKey(true)
  assert.match(debug.said, /^invalid notDebug: /)
  refused(await buyUnder(debug.privateKey))

  await passProposal({
    ...{ client: net.client, network: net.network, voter: net.bank },
    actions: [actionOf(net.network, 'TeeRegistry', 'revokeKey', [key])],
    description: 'This enclave is not to be believed any more.',
  })
  assert.equal(await counts(), false)
  refused(await buyUnder(admitted.privateKey))
})
