/** What a verifier reads of a receipt from the chain. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchIdOf, groupNode, type SignedReceipt, settlementAbi } from '@assay/protocol'
import { parseAbi, zeroAddress } from 'viem'
import { registerKey } from '../../../test/faults/operators.ts'
import { draftReceipt } from '../../../test/faults/receipts.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import {
  createSender,
  developmentAccount,
  readChainView,
  readCommittedBatch,
  startDeployedDevnet,
} from '../src/index.ts'
import { account, word } from './support/bareChain.ts'

test('readChainView fills what the chain knows and leaves the rest null', async (t) => {
  const { devnet, network, client } = await startDeployedDevnet(temporaryFolder('view'))
  t.after(() => devnet.close())
  const operator = createSender({ network, privateKey: account('node').privateKey })
  const publisher = createSender({ network, privateKey: account('publisher').privateKey })
  const committer = createSender({ network, privateKey: account('gateway').privateKey })
  const modelId = word('c3')
  const abi = parseAbi([
    'function publish(bytes32 modelId, string manifestURI, bytes32 weightsHash, uint128 perCall, uint128 inputPrice, uint128 outputPrice)',
  ])
  const { ModelRegistry, Settlement } = network.contracts
  const group = { node: operator.address, top: word('e5'), sum: 7n, exposure: 9n, count: 1n }
  const publish = [modelId, 'data:,x', word('d4'), 3n, 2n, 1n]
  const [key] = await Promise.all([
    registerKey(network, operator, developmentAccount(17).privateKey),
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
  const receipt = await draftReceipt(network, {
    requestId: word('11'),
    payer: account('demo').address,
    node: operator.address,
    key,
    seq: 1n,
    committer: committer.address,
    modelId,
    anchorBlock: anchor.number,
    anchorHash: anchor.hash,
  })
  const signed: SignedReceipt = { signature: '0x', receipt }
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
