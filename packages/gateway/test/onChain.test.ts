/** The gateway over the real contracts on the development chain; only the model behind the node is a stub. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  bootstrapDevnet,
  createSender,
  DEVELOPMENT_ROLES,
  deploy,
  developmentAccount,
  publicClientOf,
  startDevnet,
} from '@assay/chain'
import { startGateway } from '@assay/gateway'
import {
  attestationDigest,
  deploymentOf,
  inferenceEscrowAbi,
  modelRegistryAbi,
  type Network,
  opgAbi,
  settlementAbi,
  signDigest,
  VERDICT,
} from '@assay/protocol'
import { type Address, type Hex, parseEther } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import type { ReceiptAnswer } from './answers.ts'
import { BODY, createPayer, MODEL, networkWith, until } from './fixtures.ts'
import { startStubNode } from './stubNode.ts'

const account = (role: 'deployer' | 'gateway' | 'node' | 'publisher' | 'treasury' | 'demo') =>
  developmentAccount(DEVELOPMENT_ROLES[role])

/** Three validators that find every batch valid. */
async function attest(network: Network, batchId: Hex): Promise<void> {
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  const client = publicClientOf(network)
  const batch = await client.readContract({ ...settlement, functionName: 'batch', args: [batchId] })
  const attestation = {
    batchId,
    root: batch.root,
    registryBlock: batch.committedBlock,
    dataAvailable: true,
    verdict: VERDICT.valid,
  }
  const digest = attestationDigest(attestation, deploymentOf(network))
  const validators = DEVELOPMENT_ROLES.validators
    .map(developmentAccount)
    .sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1))
  const signatures = await Promise.all(validators.map(({ privateKey }) => signDigest(digest, privateKey)))
  await createSender({ network, privateKey: account('deployer').privateKey }).send({
    ...settlement,
    functionName: 'attest',
    args: [batchId, attestation.registryBlock, true, VERDICT.valid, signatures],
  })
}

test('exact and upto payments are collected, committed, made final and paid to the last base unit', async (t) => {
  const directory = temporaryFolder('gateway')
  const devnet = await startDevnet({ dir: join(directory, 'chain'), port: 0 })
  const deployed = await deploy({
    rpcUrl: devnet.url,
    chainId: 31337,
    deployerKey: account('deployer').privateKey,
    treasury: account('treasury').address,
    journalFile: join(directory, 'deployment.json'),
    devnet,
  })
  await bootstrapDevnet({
    ...deployed,
    nodeUrl: 'http://127.0.0.1:4030',
    gatewayUrl: 'http://127.0.0.1:4020',
    validatorUrls: [],
  })
  const node = await startStubNode()
  const network: Network = {
    ...networkWith([{ operator: account('node').address, url: node.url }]),
    rpcUrl: devnet.url,
    deploymentId: deployed.deploymentId,
    contracts: deployed.contracts,
    gateway: account('gateway').address,
  }
  const publisher = createSender({ network, privateKey: account('publisher').privateKey })
  await publisher.send({
    address: network.contracts.ModelRegistry,
    abi: modelRegistryAbi,
    functionName: 'publish',
    args: [MODEL.modelId, 'model.json', `0x${'c4'.repeat(32)}`, 3n, 2n, 5n],
  })
  const start = () =>
    startGateway({
      network,
      privateKey: account('gateway').privateKey,
      dataDir: join(directory, 'gateway'),
      port: 0,
      batch: { maxDelayMs: 100 },
      log: () => {},
    })
  let gateway = await start()
  // In this order: the gateway's last reads want a chain.
  t.after(async () => {
    await gateway.close()
    await node.close()
    await devnet.close()
  })
  const operator = account('node').address.toLowerCase() as Address
  node.world = {
    contracts: network.contracts,
    deployment: deploymentOf(network),
    till: gateway.till,
    committer: gateway.committer,
    model: MODEL,
    operator,
  }
  const client = publicClientOf(network)
  const price = 1_000_003n
  const balance = () =>
    client.readContract({
      address: network.contracts.OPG,
      abi: opgAbi,
      functionName: 'balanceOf',
      args: [account('demo').address],
    })
  const credit = () =>
    client.readContract({
      address: network.contracts.InferenceEscrow,
      abi: inferenceEscrowAbi,
      functionName: 'credit',
      args: [account('demo').address],
    })
  const before = await balance()
  const requestIds: Hex[] = []
  // A price row of 5 a token would quote less than the price asked here; the body is padded until it does not.
  const body = `${BODY}${' '.repeat(600_000)}`
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price }
  for (const scheme of ['exact', 'upto'] as const) {
    const payer = createPayer(scheme, account('demo').privateKey, network.contracts.OPG)
    const url = `${gateway.url}/v1/chat/completions`
    const unpaid = await fetch(url, { method: 'POST', body })
    assert.equal(unpaid.status, 402)
    await unpaid.arrayBuffer()
    const paid = await fetch(url, { method: 'POST', body, headers: await payer.sign(unpaid) })
    assert.equal(paid.status, 200, await paid.clone().text())
    await paid.arrayBuffer()
    requestIds.push(paid.headers.get('x-assay-request-id') as Hex)
  }
  const statusOf = async (requestId: Hex) =>
    (await (await fetch(`${gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
  const attested = new Set<Hex>()
  const settle = (requestId: Hex) =>
    until(async () => {
      const status = await statusOf(requestId)
      if (status.state === 'committed' && status.batchId !== null && !attested.has(status.batchId)) {
        attested.add(status.batchId)
        await attest(network, status.batchId)
      }
      return status.state === 'final' && status.payment?.state === 'settled' && status
    }, 40_000)
  // Stopped in the middle and started again on the same folder: nothing is lost and nothing is done twice.
  await until(async () => (await statusOf(requestIds[0] as Hex)).state === 'committed', 20_000)
  await gateway.close()
  gateway = await start()
  for (const requestId of requestIds) {
    const status = await settle(requestId)
    assert.match(status.transactionHash, /^0x[0-9a-f]{64}$/)
  }
  assert.equal((await credit()) + (await balance()), before - 2n * price)
  assert.ok(before > parseEther('1'))
})
