import { createSender, DEVELOPMENT_ROLES, developmentAccount, publicClientOf } from '@assay/chain'
import {
  attestationDigest,
  deploymentOf,
  type Network,
  settlementAbi,
  signDigest,
  VERDICT,
} from '@assay/protocol'
import type { Hex } from 'viem'

/** The three development validators find a batch valid, without looking: for tests of what comes before and after. */
export async function attestBatch(network: Network, batchId: Hex): Promise<void> {
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  const batch = await publicClientOf(network).readContract({
    ...settlement,
    functionName: 'batch',
    args: [batchId],
  })
  const { root, committedBlock: registryBlock } = batch
  const attestation = { batchId, root, registryBlock, dataAvailable: true, verdict: VERDICT.valid }
  const digest = attestationDigest(attestation, deploymentOf(network))
  const validators = DEVELOPMENT_ROLES.validators
    .map(developmentAccount)
    .sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1))
  const signatures = await Promise.all(validators.map(({ privateKey }) => signDigest(digest, privateKey)))
  const { privateKey } = developmentAccount(DEVELOPMENT_ROLES.deployer)
  await createSender({ network, privateKey }).send({
    ...settlement,
    functionName: 'attest',
    args: [batchId, registryBlock, true, VERDICT.valid, signatures],
  })
}
