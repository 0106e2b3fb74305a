import { concatBytes, type GpuEvidence, HARDWARE_NVIDIA_GPU } from '@assay/protocol'
import { type Hex, hexToBytes } from 'viem'
import type { GpuSource } from './attester.ts'
import { issueGpuChain, type SimulatedRoot } from './simulatedChain.ts'

const REGISTERS = 64
const DIGEST_BYTES = 48
/** Type of the opaque field that names the driver. */
const DRIVER_VERSION = 3

const little = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, at) => Math.floor(value / 256 ** at) & 0xff)

/** GET_MEASUREMENTS and its answer (SPDM 1.1, DSP0274 §10.11), as NVIDIA's driver hands both out, up to the signature. */
function exchange(nonce: Hex): Uint8Array {
  // Words, as in the registers of a simulated enclave, so that nobody takes them for measurements.
  const value = new Uint8Array(DIGEST_BYTES)
  value.set(new TextEncoder().encode('SIMULATED'))
  const registers = Array.from({ length: REGISTERS }, (_, at) =>
    concatBytes([
      Uint8Array.of(at + 1, 1),
      little(DIGEST_BYTES + 3, 2),
      Uint8Array.of(1),
      little(DIGEST_BYTES, 2),
      value,
    ]),
  )
  const record = concatBytes(registers)
  const driver = new TextEncoder().encode('SIMULATED\0')
  const opaque = concatBytes([little(DRIVER_VERSION, 2), little(driver.length, 2), driver])
  return concatBytes([
    Uint8Array.of(0x11, 0xe0, 0x01, 0xff),
    hexToBytes(nonce),
    Uint8Array.of(0),
    Uint8Array.of(0x11, 0x60, 0, 0, REGISTERS),
    little(record.length, 3),
    record,
    crypto.getRandomValues(new Uint8Array(32)),
    little(opaque.length, 2),
    opaque,
  ])
}

/**
 * Development stand-ins for NVIDIA GPUs in confidential mode: the same report, signed under the local root instead of
 * NVIDIA's. They prove nothing, and say so in every name they carry.
 */
export async function simulatedGpus(root: SimulatedRoot, count: number): Promise<GpuSource> {
  const chains = await Promise.all(Array.from({ length: count }, () => issueGpuChain(root)))
  return {
    roots: [{ rootHash: root.rootHash, hardwareType: HARDWARE_NVIDIA_GPU }],
    ask: (nonce) =>
      Promise.all(
        chains.map(async ({ certificates, key }): Promise<GpuEvidence> => {
          const message = exchange(nonce)
          const algorithm = { name: 'ECDSA', hash: 'SHA-384' }
          const signature = await crypto.subtle.sign(algorithm, key, Uint8Array.from(message))
          return { report: concatBytes([message, new Uint8Array(signature)]), certificates }
        }),
      ),
  }
}
