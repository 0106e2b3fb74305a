import {
  type Attestation,
  attestationDigest,
  type Batch,
  buildBatch,
  contractEntry,
  deploymentOf,
  groupHeaders,
  inferenceEscrowAbi,
  priceOf,
  proveInclusion,
  receiptDigest,
  type SignedReceipt,
  settlementAbi,
  signDigest,
  tag,
  VERDICT,
} from '@assay/protocol'
import type { Address, TransactionReceipt } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { type SignedPayment, signExactPayment } from './exactPayment.ts'
import { LOCAL_PRICE, type LocalNetwork, startLocalNetwork } from './localNetwork.ts'
import { sampleReceipt } from './sampleReceipts.ts'
import { number, printTable } from './table.ts'

const SIZES = [1, 16, 256, 4096] as const
/** Receipts of a batch that are collected and settled in one transaction; the others stand in the tree alone. */
const SETTLED_AT_ONCE = 16
/** Gas that a Base or Ethereum transfer costs, for scale. */
const TRANSFER_GAS = 21_000
const NODE_KEY = tag('bench node key')

type Measured = {
  size: number
  commit: number
  attest: number
  finalise: number
  collect: number
  settle: number
}

function gasOf(...receipts: TransactionReceipt[]): number {
  return receipts.reduce((sum, receipt) => sum + Number(receipt.gasUsed), 0)
}

async function receiptsOf(
  local: LocalNetwork,
  size: number,
  payments: SignedPayment[],
): Promise<SignedReceipt[]> {
  const deployment = deploymentOf(local.network)
  const price = priceOf(LOCAL_PRICE, { inputUnits: 40n, outputUnits: 100n, failed: false })
  return Promise.all(
    Array.from({ length: size }, async (_, at) => {
      const sample = sampleReceipt(at)
      const payment = payments[at]
      const receipt = {
        ...sample,
        requestId: payment?.requestId ?? sample.requestId,
        payer: payment?.exact.payer ?? (payments[0]?.exact.payer as Address),
        node: local.network.nodes[0]?.operator.toLowerCase() as Address,
        key: privateKeyToAddress(NODE_KEY).toLowerCase() as Address,
        committer: local.gateway.address.toLowerCase() as Address,
        modelId: local.modelId,
        price,
      }
      return { receipt, signature: await signDigest(receiptDigest(receipt, deployment), NODE_KEY) }
    }),
  )
}

/** As the validators do: each delivers its own signature. */
async function attest(local: LocalNetwork, batch: Batch, registryBlock: bigint): Promise<number> {
  const { network } = local
  const { batchId, header } = batch
  const statement = { batchId, root: header.root, registryBlock, dataAvailable: true, verdict: VERDICT.valid }
  const digest = attestationDigest(statement satisfies Attestation, deploymentOf(network))
  const receipts = await Promise.all(
    local.validators.map(async ({ sender, privateKey }) =>
      sender.send({
        address: network.contracts.Settlement,
        abi: settlementAbi,
        functionName: 'attest',
        args: [batchId, registryBlock, true, VERDICT.valid, [await signDigest(digest, privateKey)]],
      }),
    ),
  )
  return gasOf(...receipts)
}

async function waitForWindow(local: LocalNetwork, batch: Batch): Promise<void> {
  const settlement = { address: local.network.contracts.Settlement, abi: settlementAbi } as const
  const facts = await local.client.readContract({
    ...settlement,
    functionName: 'batch',
    args: [batch.batchId],
  })
  const quorumAt = facts.quorumAt
  if (quorumAt === 0n) throw new Error('The attestations of all validators made no quorum.')
  // The devnet's challenge window is 5 s; one more for the block that holds the call.
  while ((await local.client.getBlock()).timestamp < quorumAt + 6n) {
    await new Promise((done) => setTimeout(done, 250))
  }
}

async function measure(local: LocalNetwork, size: number, height: bigint): Promise<Measured> {
  const { contracts } = local.network
  const settlement = { address: contracts.Settlement, abi: settlementAbi } as const
  const escrow = { address: contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const paid = Math.min(size, SETTLED_AT_ONCE)
  const value = 10n ** 15n
  const payments = await Promise.all(
    Array.from({ length: paid }, (_, at) => signExactPayment(local, Number(height) * 1_000_000 + at, value)),
  )
  const collect = await local.gateway.send({
    ...escrow,
    functionName: 'collectExact',
    args: [payments.map((payment) => payment.exact)],
  })
  const receipts = await receiptsOf(local, size, payments)
  const committer = local.gateway.address.toLowerCase() as Address
  const batch = buildBatch({ deployment: deploymentOf(local.network), committer, height, receipts })
  const commit = await local.gateway.send({
    ...settlement,
    functionName: 'commit',
    args: [height, batch.header.dataHash, groupHeaders(batch)],
  })
  const attested = await attest(local, batch, commit.blockNumber)
  await waitForWindow(local, batch)
  const finalise = await local.gateway.send({
    ...settlement,
    functionName: 'finalise',
    args: [batch.batchId],
  })
  const items = payments.map((payment) => {
    const { entry, ...path } = proveInclusion(batch, payment.requestId)
    return { batchId: batch.batchId, entry: contractEntry(entry), path }
  })
  const settle = await local.gateway.send({ ...escrow, functionName: 'settle', args: [items] })
  for (const { requestId } of payments) {
    const payment = await local.client.readContract({ ...escrow, functionName: 'payment', args: [requestId] })
    if (payment[5] !== 2)
      throw new Error(`Payment ${requestId} was not paid out; its state is ${payment[5]}.`)
  }
  return {
    size,
    commit: gasOf(commit),
    attest: attested,
    finalise: gasOf(finalise),
    collect: gasOf(collect) / paid,
    settle: gasOf(settle) / paid,
  }
}

/** Gas of every transaction behind one inference, from transactions that were mined on a fresh devnet. */
export async function benchGas(): Promise<void> {
  const local = await startLocalNetwork()
  try {
    const measured: Measured[] = []
    for (const [at, size] of SIZES.entries()) measured.push(await measure(local, size, BigInt(at + 1)))
    const verification = (row: Measured) => (row.commit + row.attest + row.finalise) / row.size
    const whole = (row: Measured) => verification(row) + row.collect + row.settle
    const first = measured[0] as Measured
    printTable(
      `Gas per inference (mined; ${local.validators.length} validators; collect and settle ${SETTLED_AT_ONCE} at a time)`,
      [
        'batch',
        'commit',
        'attest',
        'finalise',
        'verify each',
        'vs 1',
        'collect each',
        'settle each',
        'all each',
        'vs transfer',
      ],
      measured.map((row) => [
        number(row.size),
        number(row.commit),
        number(row.attest),
        number(row.finalise),
        number(verification(row)),
        `1/${number(verification(first) / verification(row))}`,
        number(row.collect),
        number(row.settle),
        number(whole(row)),
        `${number(whole(row) / TRANSFER_GAS, 1)}×`,
      ]),
    )
  } finally {
    await local.close()
  }
}
