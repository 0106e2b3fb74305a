import {
  AssayError,
  attestationDigest,
  type Deployment,
  FAULT_CLASS,
  faultIdOf,
  type NamedAttestation,
  recoverSigner,
  settlementAbi,
  validatorEquivocationKey,
  validatorEquivocationProof,
} from '@assay/protocol'
import { BATCH_STATE, type BatchView } from '@assay/verify'
import { type Address, decodeFunctionData, type Hex } from 'viem'
import type { ValidatorChain } from '../validatorChain.ts'
import type { FaultJobs } from './faultJobs.ts'
import { freshSalt } from './faultJobs.ts'

export type VoiceContext = {
  deployment: Deployment
  operator: Address
  chain: Pick<ValidatorChain, 'batch' | 'attestCalls'>
  jobs: FaultJobs
  log: (event: string, facts: Record<string, unknown>) => void
}

/**
 * Watches a validator whose statement on a batch was delivered and not counted, since it could not bear what it called
 * valid: it may speak again, and if it says the opposite then, both signatures are on chain and prove it. Whoever was
 * counted is counted once, so nobody else can contradict itself there.
 */
export async function watchVoice(
  batchId: Hex,
  validator: Address,
  context: VoiceContext,
): Promise<'settled' | 'waiting'> {
  const { chain, jobs, log, deployment } = context
  if (validator.toLowerCase() === context.operator.toLowerCase()) return 'settled'
  const batch = await chain.batch(batchId)
  const calls = await chain.attestCalls(batch, validator)
  const said = (
    await Promise.all(calls.map((call) => statementOf(call, batch, validator, deployment)))
  ).flat()
  const [first] = said
  const second = said.find(({ attestation }) => attestation.verdict !== first?.attestation.verdict)
  if (first !== undefined && second !== undefined) {
    const faultClass = FAULT_CLASS.equivocation
    const faultId = faultIdOf(faultClass, validatorEquivocationKey(validator, batch.committer, batch.height))
    const reason = `Validator ${validator} called the batch both valid and invalid.`
    const plan = {
      kind: 'proof',
      proofs: [validatorEquivocationProof(first, second)],
      salt: freshSalt(),
    } as const
    if (jobs.add({ faultId, faultClass, batchId, reason, plan })) {
      log('fault found', { faultId, faultClass, batchId, reason })
    }
    return 'settled'
  }
  const open = batch.state === BATCH_STATE.committed || batch.state === BATCH_STATE.attested
  return open ? 'waiting' : 'settled'
}

/** What the validator signed, if the call delivered a signature of its on this batch. */
async function statementOf(
  input: Hex,
  batch: BatchView,
  validator: Address,
  deployment: Deployment,
): Promise<NamedAttestation[]> {
  const call = decoded(input)
  if (call?.functionName !== 'attest') return []
  const [batchId, registryBlock, dataAvailable, verdict, signatures] = call.args
  const attestation = { batchId, root: batch.root, registryBlock, dataAvailable, verdict }
  if (batchId !== batch.batchId) return []
  const digest = attestationDigest(attestation, deployment)
  for (const signature of signatures) {
    if ((await signerOf(digest, signature)) === validator.toLowerCase()) {
      return [{ attestation, signature, batch }]
    }
  }
  return []
}

/** A call through another contract cannot be read: undefined. */
function decoded(input: Hex) {
  try {
    return decodeFunctionData({ abi: settlementAbi, data: input })
  } catch {
    return undefined
  }
}

async function signerOf(digest: Hex, signature: Hex): Promise<string | undefined> {
  try {
    return (await recoverSigner(digest, signature)).toLowerCase()
  } catch (error) {
    if (error instanceof AssayError) return undefined
    throw error
  }
}
