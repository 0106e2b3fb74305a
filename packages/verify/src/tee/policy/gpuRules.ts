import { type GpuEvidence, HARDWARE_NVIDIA_GPU } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import { deviceIdOf, readGpuChain } from '../nvidia/gpuChain.ts'
import type { VerifyGpuParameters } from '../nvidia/verifyGpu.ts'
import { certificateRule } from './certificateRule.ts'
import { type Rules, subjects } from './policyOfRules.ts'

/** Name of the rule that says how many GPUs this code must show. */
const requirement = (measurement: Hex): string => `require-gpus/${measurement.toLowerCase()}`

/** Names of the rules that bear on a machine with these GPUs, or with none. @throws Error where a chain cannot be read */
export function rulesOfGpus(gpus: readonly GpuEvidence[], measurement: Hex): string[] {
  const each = gpus.flatMap(({ certificates }) => {
    const chain = readGpuChain(certificates)
    return [
      `gpu-root/${keccak256(certificates[0] ?? new Uint8Array(0))}`,
      `deny-gpu/${deviceIdOf(chain)}`,
      ...chain.map(certificateRule),
    ]
  })
  return [requirement(measurement), ...each]
}

/** What these rules make of a GPU: nobody's root counts that was not voted in. */
export function gpuPolicyOf(
  rules: Rules,
  { certificates }: GpuEvidence,
): Pick<VerifyGpuParameters, 'roots' | 'revoked' | 'deniedDevices'> {
  const roots = subjects(rules, 'gpu-root') as Hex[]
  const denied = new Set(subjects(rules, 'deny-certificate').map((subject) => `deny-certificate/${subject}`))
  return {
    roots: roots.map((rootHash) => ({ rootHash, hardwareType: HARDWARE_NVIDIA_GPU })),
    // A chain that cannot be read fails by itself.
    revoked: readable(certificates).filter((certificate) => denied.has(certificateRule(certificate))),
    deniedDevices: subjects(rules, 'deny-gpu') as Hex[],
  }
}

function readable(certificates: readonly Uint8Array[]): ReturnType<typeof readGpuChain> {
  try {
    return readGpuChain(certificates)
  } catch {
    return []
  }
}

/** GPUs that code of this measurement must show. */
export function requiredGpus(rules: Rules, measurement: Hex): bigint {
  return rules.get(requirement(measurement)) ?? 0n
}
