import { type Evidence, gpuNonce } from '@assay/protocol'
import type { Hex } from 'viem'
import { type GpuAttestation, repeatedDevices, verifyGpu } from './nvidia/verifyGpu.ts'
import { gpuPolicyOf, requiredGpus } from './policy/gpuRules.ts'
import type { Rules } from './policy/policyOfRules.ts'

/**
 * First thing wrong with the GPUs of registration evidence, in words, or undefined: each is genuine under a root that was
 * voted in, was asked by this very enclave (its nonce follows from what the enclave's own evidence carries), and stands
 * once; and they are as many as the code must have.
 * @param by what the evidence of the processor bore out already
 */
export function gpusProblem(
  { gpus = [] }: Pick<Evidence, 'gpus'>,
  by: { measurement: Hex; userData: Hex; now: bigint; rules: Rules },
): string | undefined {
  const { measurement, userData, now, rules } = by
  const expectedNonce = gpuNonce(userData)
  const found: GpuAttestation[] = []
  for (const [at, gpu] of gpus.entries()) {
    const { steps, attestation } = verifyGpu(gpu, { ...gpuPolicyOf(rules, gpu), now, expectedNonce })
    const failed = steps.find(({ outcome }) => outcome === 'failed')
    if (failed !== undefined) return `GPU ${at}: ${failed.name}: ${failed.reason}`
    if (attestation !== undefined) found.push(attestation)
  }
  const [repeated] = repeatedDevices(found)
  if (repeated !== undefined) return `device ${repeated} stands for several GPUs`
  const wanted = requiredGpus(rules, measurement)
  return BigInt(found.length) < wanted
    ? `the code must show ${wanted} GPUs, here are ${found.length}`
    : undefined
}
