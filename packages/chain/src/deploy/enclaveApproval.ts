import { AssayError } from '@assay/protocol'
import { type Address, type Hex, type PublicClient, parseAbi } from 'viem'
import type { Sender } from '../sender/createSender.ts'

/** Hardware, root and code that a new deployment accepts from its first block. */
export type EnclaveApproval = {
  /** Tag of the hardware's name, such as `HARDWARE_NITRO_SIM`. */
  hardwareType: Hex
  /** keccak256 of the root certificate's DER. */
  rootHash: Hex
  measurement: Hex
  /** Bit i = engine class i allowed. */
  engineClasses: number
}

const MAX_APPROVALS = 64
const TEE_REGISTRY = parseAbi([
  'function approveHardware(bytes32 hardwareType)',
  'function approveRoot(bytes32 hardwareType, bytes32 rootHash)',
  'function approveMeasurement(bytes32 hardwareType, bytes32 measurement, uint8 engineClasses)',
  'function hardware(bytes32 hardwareType) view returns (uint64 validFrom, uint64 revokedAt)',
  'function root(bytes32 hardwareType, bytes32 rootHash) view returns (uint64 validFrom, uint64 revokedAt)',
  'function measurement(bytes32 hardwareType, bytes32 measurement) view returns (uint64 validFrom, uint64 revokedAt, uint8 engineClasses)',
])

/** Approves what is not approved yet; what was revoked stays revoked. The sender must be the governor. */
export async function approveEnclaves(
  client: PublicClient,
  governor: Sender,
  teeRegistry: Address,
  approvals: readonly EnclaveApproval[],
): Promise<void> {
  if (approvals.length > MAX_APPROVALS) {
    throw new AssayError('Too many enclaves to approve at once.', {
      code: 'config',
      facts: { given: approvals.length, limit: MAX_APPROVALS },
    })
  }
  const at = { address: teeRegistry, abi: TEE_REGISTRY } as const
  for (const { hardwareType, rootHash, measurement, engineClasses } of approvals) {
    const [hardware, root, code] = await Promise.all([
      client.readContract({ ...at, functionName: 'hardware', args: [hardwareType] }),
      client.readContract({ ...at, functionName: 'root', args: [hardwareType, rootHash] }),
      client.readContract({ ...at, functionName: 'measurement', args: [hardwareType, measurement] }),
    ])
    const calls: { functionName: string; args: readonly unknown[] }[] = []
    if (hardware[0] === 0n) calls.push({ functionName: 'approveHardware', args: [hardwareType] })
    if (root[0] === 0n) calls.push({ functionName: 'approveRoot', args: [hardwareType, rootHash] })
    if (code[0] === 0n) {
      calls.push({ functionName: 'approveMeasurement', args: [hardwareType, measurement, engineClasses] })
    }
    await Promise.all(calls.map((call) => governor.send({ ...at, ...call })))
  }
}
