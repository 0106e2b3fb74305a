/**
 * OpenGradient's own clients, unmodified, on a network under the profile, whose chain has Base's id because the Python one
 * insists on it; and what stands behind their answers. Run: npm run test:opengradient
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { publicClientOf } from '@assay/chain'
import {
  type Network,
  openGradientRegistryAbi,
  openGradientSettlementAbi,
  REQUEST_ID_HEADER,
} from '@assay/protocol'
import {
  canonicalRequest,
  isSettled,
  readTeeFields,
  settlementTree,
  type TeeStatement,
  teeOutputHash,
  teeRequestHash,
  teeSignatureHolds,
} from '@assay/protocol/opengradient'
import { assayFetch } from '@assay/sdk'
import { UptoEvmScheme } from '@x402/evm'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import { type Address, type Hex, hexToBytes, parseEther } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { createLocalNetwork, type LocalNetwork } from '../e2e/localNetwork.ts'
import { freePorts } from '../freePorts.ts'
import { until } from '../until.ts'
import { pythonWithSdk, runClient } from './opengradient/python.ts'

const SAMPLE = path.resolve(import.meta.dirname, '..', '..', 'examples', 'opengradient_chat.py')
const python = pythonWithSdk()
const skip = typeof python === 'string' ? python : false
/** The TypeScript SDK's README says `npm install opengradient-sdk`, and the registry has nothing of that name. */
const noTypeScriptSdk =
  'opengradient-sdk is not in the npm registry; its requests are sent by the tests below'

let local: LocalNetwork
let network: Network
let profile: NonNullable<Network['profile']>
let payerKey: Hex

before(async () => {
  const port = await freePorts(1)
  local = await createLocalNetwork({ ASSAY_PROFILE: 'opengradient', ASSAY_GATEWAY_TLS_PORT: String(port) })
  network = local.network
  assert.ok(network.profile !== undefined && network.accounts.demo !== undefined)
  profile = network.profile
  payerKey = network.accounts.demo.privateKey
  await until(
    async () => (await activeTees()).length === 1,
    () => 'the enclave to be listed',
  )
})
after(() => local?.close())

const activeTees = () =>
  publicClientOf(network).readContract({
    address: profile.registry,
    abi: openGradientRegistryAbi,
    functionName: 'getActiveTEEs',
    args: [0],
  })

test('opengradient (PyPI): chat whole, private and streamed, with tools, completion, registry', {
  skip,
}, async () => {
  assert.ok(typeof python !== 'string')
  const settingsFile = path.join(local.home, 'opengradient-client.json')
  const [model] = network.models
  const settings = {
    ...{ gatewayUrl: network.gatewayUrl, rpcUrl: network.rpcUrl, registry: profile.registry },
    ...{ payerKey, model: model?.name },
  }
  writeFileSync(settingsFile, JSON.stringify(settings), { mode: 0o600 })
  // Each signature was verified by Python's `cryptography` over hashes that Python made, before its line was printed.
  const lines = await runClient(python.interpreter, settingsFile, network.rpcUrl)
  const of = Object.fromEntries(lines.map(({ name, ...facts }) => [name, facts]))
  assert.deepEqual(of['signing-key'], { sound: true })
  assert.match(String(of.chat?.content), /Paris/)
  assert.equal(of.chat?.finish, 'stop')
  // Its settlement comes behind the answer, and no hash is told of a transaction that there is not.
  assert.equal(of.chat?.hash, null)
  assert.equal(of.private?.hash, null)
  assert.equal(of.stream?.content, of.chat?.content)
  assert.equal(of.stream?.finish, 'stop')
  assert.ok(Number(of.stream?.chunks) > 3 && Number(of.stream?.usage) > 7)
  assert.equal(of.tools?.finish, 'tool_calls')
  assert.equal(of.tools?.name_called, 'weather')
  JSON.parse(String(of.tools?.arguments))
  // Its own doing: with tools it asks for a whole answer and shows it as one chunk.
  assert.deepEqual(of['tools-stream'], { chunks: 1, finish: 'tool_calls' })
  assert.ok(String(of.completion?.content).length > 0)
  assert.deepEqual(of.registry, { count: 1, same: true, endpoint: profile.endpoint, ohttp: null })
  assert.equal(of.pinned?.endpoint, profile.endpoint)
})

test('opengradient (PyPI): the sample of this repository, as it stands', { skip }, async () => {
  assert.ok(typeof python !== 'string')
  const folder = path.join(local.home, 'sample')
  mkdirSync(folder)
  symlinkSync(local.home, path.join(folder, '.assay'))
  const { stdout } = await promisify(execFile)(python.interpreter, [SAMPLE], {
    cwd: folder,
    env: { ...process.env, BASE_MAINNET_RPC: network.rpcUrl, PYTHONDONTWRITEBYTECODE: '1' },
  })
  assert.match(stdout, /Paris[\s\S]* \S{300,}/)
})

test('opengradient-sdk (npm)', { skip: noTypeScriptSdk }, () => undefined)

/** Pays as OpenGradient's clients do: stock x402, `upto`, on whatever network the offer names. */
function payingFetch(privateKey: Hex): typeof fetch {
  const signer = privateKeyToAccount(privateKey)
  const client = new x402Client().register('eip155:*', new UptoEvmScheme(signer))
  const offered = { network: `eip155:${network.chainId}`, asset: network.contracts.OPG } as const
  client.setSpendControls({ allowedAssets: [{ ...offered, maxAmountPerPayment: String(parseEther('10')) }] })
  return wrapFetchWithPayment(fetch, client)
}

function ask(members: object, headers: Record<string, string> = {}, privateKey = payerKey) {
  const body = JSON.stringify({
    model: network.models[0]?.name,
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    max_tokens: 12,
    temperature: 0,
    ...members,
  })
  const asked = payingFetch(privateKey)(`${network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer 0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef',
      ...headers,
    },
    body,
  })
  return asked.then((response) => ({ response, body: new TextEncoder().encode(body) }))
}

async function publicKey(): Promise<Uint8Array> {
  const [tee] = await activeTees()
  assert.ok(tee !== undefined)
  return hexToBytes(tee.publicKey)
}

const told = () => ({ address: profile.settlement, abi: openGradientSettlementAbi, fromBlock: 0n }) as const
const batchesTold = () =>
  publicClientOf(network).getContractEvents({ ...told(), eventName: 'BatchSettlement' })
const answersTold = () =>
  publicClientOf(network).getContractEvents({ ...told(), eventName: 'IndividualSettlement' })

/** What Assay says of the same request, once its batch is final. */
async function finalReceipt(requestId: string): Promise<{ batchId: Hex; receipt: { payer: Address } }> {
  const ask = async () => (await fetch(`${network.gatewayUrl}/v1/receipts/${requestId}`)).json()
  await until(
    async () => ((await ask()) as { state: string }).state === 'final',
    () => `the batch of ${requestId} to be final`,
  )
  return (await ask()) as Awaited<ReturnType<typeof finalReceipt>>
}

test('a batch call: fields, Assay receipt, and a leaf in the tree that the chain is told of', async () => {
  const { response, body } = await ask({})
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('x-settlement-tx-hash'), null)
  assert.ok(response.headers.get('x-assay-receipt'))
  const answer = (await response.json()) as { choices: [{ message: { content: string } }] }
  const statement = readTeeFields(answer)
  assert.ok(statement !== undefined)
  assert.equal(statement.requestHash, teeRequestHash(canonicalRequest('chat', body)))
  assert.equal(statement.outputHash, teeOutputHash({ text: answer.choices[0].message.content }))
  assert.ok(await teeSignatureHolds(statement, await publicKey()))

  const { batchId } = await finalReceipt(response.headers.get(REQUEST_ID_HEADER) ?? '')
  type Data = {
    merkleRoot: Hex
    transactionHash: Hex | null
    leaves: { signature: string; timestamp: number }[]
  }
  const data = async () =>
    (await (await fetch(`${network.gatewayUrl}/opengradient/batches/${batchId}`)).json()) as Data
  await until(
    async () => (await data()).transactionHash !== null,
    () => 'the batch to be told of',
  )
  const { merkleRoot, transactionHash, leaves } = await data()
  const event = (await batchesTold()).find(({ args }) => args.merkleRoot === merkleRoot)
  assert.equal(event?.transactionHash, transactionHash)
  assert.equal(event?.args.batchSize, BigInt(leaves.length))
  const statements = leaves.map((leaf) => {
    const { inputHash, outputHash, teeId } = leaf as unknown as Record<string, Hex>
    const signature = new Uint8Array(Buffer.from(leaf.signature, 'base64'))
    return { teeId, requestHash: inputHash, outputHash, signature, timestamp: leaf.timestamp } as TeeStatement
  })
  const tree = settlementTree(statements)
  assert.equal(tree.root, merkleRoot)
  assert.ok(isSettled(merkleRoot, statement, tree.proofOf(statement)))
})

test('an individual call waits for its own event, and its header is the hash of that transaction', async () => {
  // Its gateway waits for half a minute, which a machine that has others to serve may need for what takes seconds alone.
  const { response, hash } = await until(
    async () => {
      const { response } = await ask({}, { 'X-SETTLEMENT-TYPE': 'individual' })
      assert.equal(response.status, 200)
      const hash = response.headers.get('x-settlement-tx-hash') as Hex | null
      return hash !== null && { response, hash }
    },
    () => 'an answer that names its transaction',
  )
  const statement = readTeeFields(await response.json())
  const mined = await publicClientOf(network).getTransactionReceipt({ hash })
  assert.equal(mined.status, 'success')
  const event = (await answersTold()).find(({ transactionHash }) => transactionHash === hash)
  assert.equal(event?.args.teeId, statement?.teeId)
  assert.equal(event?.args.ethAddress, profile.payer)
  assert.equal(event?.args.outputHash, statement?.outputHash)
  assert.equal(event?.args.walrusBlobId, response.headers.get('x-settlement-walrus-blob-id'))
})

test('a private call is told of nowhere, and settles on Assay all the same', async () => {
  const { response } = await ask({}, { 'X-SETTLEMENT-TYPE': 'private' })
  const statement = readTeeFields(await response.json())
  assert.ok(statement !== undefined)
  const { batchId } = await finalReceipt(response.headers.get(REQUEST_ID_HEADER) ?? '')
  const answer = await fetch(`${network.gatewayUrl}/opengradient/batches/${batchId}`)
  const { leaves } = (await answer.json()) as { leaves: { outputHash: Hex }[] }
  assert.ok(leaves.every(({ outputHash }) => outputHash !== statement.outputHash) || leaves.length === 0)
})

test('a stream with tools is streamed: real deltas, then one last frame with everything', async () => {
  const tools = [
    {
      type: 'function',
      function: {
        name: 'weather',
        parameters: {
          type: 'object',
          properties: { city: { type: 'string', maxLength: 12 } },
          required: ['city'],
          additionalProperties: false,
        },
      },
    },
  ]
  const members = {
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 60,
    tools,
    tool_choice: 'required',
  }
  const { response, body } = await ask(members)
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '))
  assert.equal(lines.pop(), 'data: [DONE]')
  type Call = { id?: string; function?: { name?: string; arguments?: string } }
  type Frame = { usage?: object; choices: [{ delta: { tool_calls?: Call[] }; finish_reason: string | null }] }
  const frames = lines.map((line) => JSON.parse(line.slice(6)) as Frame)
  const pieces = frames.flatMap(({ choices }) => choices[0].delta.tool_calls ?? [])
  assert.ok(pieces.length > 2, 'arguments come in pieces')
  assert.ok(
    frames.slice(0, -1).every((frame) => !('usage' in frame) && frame.choices[0].finish_reason === null),
  )
  const last = frames.at(-1)
  assert.equal(last?.choices[0].finish_reason, 'tool_calls')
  assert.ok(last?.usage)
  const statement = readTeeFields(last)
  assert.ok(statement !== undefined)
  const call = {
    id: pieces[0]?.id ?? '',
    name: pieces[0]?.function?.name ?? '',
    arguments: pieces.map((piece) => piece.function?.arguments ?? '').join(''),
  }
  assert.equal(statement.outputHash, teeOutputHash({ calls: [call] }))
  assert.equal(statement.requestHash, teeRequestHash(canonicalRequest('chat', body)))
  assert.ok(await teeSignatureHolds(statement, await publicKey()))
})

test('what Assay offers beside it is as it was: the verifying client, the Anthropic dialect', async () => {
  const verifying = assayFetch({ network, privateKey: payerKey })
  const body = {
    model: network.models[0]?.name,
    max_tokens: 12,
    messages: [{ role: 'user', content: 'Hello.' }],
  }
  for (const place of ['/v1/chat/completions', '/v1/messages']) {
    const response = await verifying(`${network.gatewayUrl}${place}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify(body),
    })
    assert.equal(response.status, 200, `${place}: ${await response.clone().text()}`)
    const fields = readTeeFields(await response.json())
    assert.equal(fields === undefined, place === '/v1/messages')
  }
})

test('nobody pays with a key of his own, nor by a settlement that there is not', async () => {
  const stranger = await ask({}, {}, generatePrivateKey())
  assert.equal(stranger.response.status, 403)
  assert.equal(((await stranger.response.json()) as { error: { code: string } }).error.code, 'foreign_payer')
  const wrong = await ask({}, { 'X-SETTLEMENT-TYPE': 'walrus' })
  assert.equal(wrong.response.status, 400)
  const two = await ask({ n: 2 })
  assert.equal(two.response.status, 400)
  assert.equal(((await two.response.json()) as { error: { param: string } }).error.param, 'n')
})

test('/enclave/attestation answers a nonce with a document that says so', async () => {
  const nonce = '00112233445566778899aabbccddeeff00112233'
  const answer = await fetch(`${network.gatewayUrl}/enclave/attestation?nonce=${nonce}`)
  const document = Buffer.from(await answer.text(), 'base64')
  assert.ok(document.includes(Buffer.from(nonce, 'hex')))
  assert.ok(document.includes(Buffer.from(';sha256:')))
  assert.equal((await fetch(`${network.gatewayUrl}/enclave/attestation`)).status, 400)
})
