import {
  attestationDigest,
  type Batch,
  type BatchEntry,
  buildBatch,
  deploymentOf,
  groupHeaders,
  settlementAbi,
  signDigest,
  VERDICT,
} from '@assay/protocol'
import type { Address, TransactionReceipt } from 'viem'
import type { LocalNetwork } from '../localNetwork.ts'

/** Enough for 64 voices, whichever of them completes the quorum. */
const ATTEST_GAS = 3_000_000n

export type Committed = { batch: Batch; commit: TransactionReceipt }

export function settlementOf(local: LocalNetwork) {
  return { address: local.network.contracts.Settlement, abi: settlementAbi } as const
}

export async function commitBatch(local: LocalNetwork, receipts: readonly BatchEntry[]): Promise<Committed> {
  const { client, gateway, network } = local
  const settlement = settlementOf(local)
  const last = await client.readContract({
    ...settlement,
    functionName: 'lastHeight',
    args: [gateway.address],
  })
  const committer = gateway.address.toLowerCase() as Address
  const batch = buildBatch({ deployment: deploymentOf(network), committer, height: last + 1n, receipts })
  const args = [batch.header.height, batch.header.dataHash, groupHeaders(batch)]
  return { batch, commit: await gateway.send({ ...settlement, functionName: 'commit', args }) }
}

/** All validators call it valid: in one transaction of one of them, or each in its own. */
export async function attestBatch(
  local: LocalNetwork,
  { batch, commit }: Committed,
  delivery: 'together' | 'each',
): Promise<TransactionReceipt[]> {
  const { batchId, header } = batch
  const registryBlock = commit.blockNumber
  const statement = {
    batchId,
    root: header.root,
    registryBlock,
    dataAvailable: true,
    verdict: VERDICT.valid,
  }
  const digest = attestationDigest(statement, deploymentOf(local.network))
  const ascending = [...local.validators].sort((a, b) =>
    BigInt(a.sender.address) < BigInt(b.sender.address) ? -1 : 1,
  )
  const signatures = await Promise.all(ascending.map(({ privateKey }) => signDigest(digest, privateKey)))
  const parts = delivery === 'together' ? [signatures] : signatures.map((signature) => [signature])
  return Promise.all(
    parts.map((part, at) =>
      (ascending[at] as (typeof ascending)[number]).sender.send({
        ...settlementOf(local),
        functionName: 'attest',
        args: [batchId, registryBlock, true, VERDICT.valid, part],
        gas: ATTEST_GAS,
      }),
    ),
  )
}

/** Until the batch can be made final. @throws Error where it found no quorum */
export async function windowOver(local: LocalNetwork, { batch }: Committed): Promise<void> {
  const args = [batch.batchId] as const
  const { quorumAt } = await local.client.readContract({
    ...settlementOf(local),
    functionName: 'batch',
    args,
  })
  if (quorumAt === 0n) throw new Error('The attestations of all validators made no quorum.')
  // The devnet's challenge window is 5 s; one more for the block that holds the call.
  while ((await local.client.getBlock()).timestamp < quorumAt + 6n) {
    await new Promise((done) => setTimeout(done, 250))
  }
}
