import { developmentAccount, publicClientOf, type Sender } from '@assay/chain'
import {
  AssayError,
  attestationDigest,
  type Batch,
  type Network,
  settlementAbi,
  signDigest,
  VERDICT,
} from '@assay/protocol'
import { deploymentAt } from '../../faults/operators.ts'

/**
 * A validator signs that a batch is valid, whatever it holds.
 * @param index of its development account
 * @returns false where the batch had ended before
 */
export async function attestFalsely(
  network: Network,
  batch: Batch,
  witness: Sender,
  index: number,
): Promise<boolean> {
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  const { batchId, header } = batch
  const { committedBlock } = await publicClientOf(network).readContract({
    ...settlement,
    functionName: 'batch',
    args: [batchId],
  })
  const statement = {
    batchId,
    root: header.root,
    registryBlock: committedBlock,
    dataAvailable: true,
    verdict: VERDICT.valid,
  }
  const { privateKey } = developmentAccount(index)
  const signature = await signDigest(attestationDigest(statement, deploymentAt(network)), privateKey)
  try {
    const args = [batchId, committedBlock, true, VERDICT.valid, [signature]] as const
    await witness.send({ ...settlement, functionName: 'attest', args, gas: 1_000_000n })
    return true
  } catch (error) {
    if (error instanceof AssayError && error.code === 'conflict') return false
    throw error
  }
}
