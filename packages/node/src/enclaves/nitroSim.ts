import { concatBytes, HARDWARE_NITRO_SIM, NO_KEY_HASH, nitroMeasurement } from '@assay/protocol'
import { encode } from 'cbor2'
import { bytesToHex, type Hex, hexToBytes } from 'viem'
import type { Attester } from './attester.ts'
import { coseSign1 } from './cose.ts'
import { issueChain, type SimulatedRoot } from './simulatedChain.ts'

const PCR_BYTES = 48
const PCR_COUNT = 16

/** The image that a development node runs. Its name changes when its trust statement does. */
const SIMULATED_IMAGE = 'assay node v2'

/**
 * PCR 0–2 of a simulated image. A real PCR is a SHA-384; these are words, so that nobody who looks at the bytes can take
 * them for a measurement. In debug mode they are zero, as AWS's are.
 */
function pcrsOf(image: string, debug: boolean): readonly Uint8Array[] {
  return ['image', 'kernel', 'application'].map((part) => {
    const pcr = new Uint8Array(PCR_BYTES)
    if (!debug) pcr.set(new TextEncoder().encode(`SIMULATED ${image} ${part}`))
    return pcr
  })
}

/** Measurement of a simulated image, as governance approves it. */
export function simulatedMeasurement(image: string): Hex {
  const [pcr0, pcr1, pcr2] = pcrsOf(image, false).map((pcr) => bytesToHex(pcr)) as [Hex, Hex, Hex]
  return nitroMeasurement(pcr0, pcr1, pcr2)
}

/** What the deployment approves for hardware `nitro-sim`. */
export const SIMULATED_MEASUREMENT: Hex = simulatedMeasurement(SIMULATED_IMAGE)

/** Engine classes 0 and 1: the model runs inside, or at a provider whose address is part of the image. */
export const SIMULATED_ENGINE_CLASSES = 0b011

/**
 * A development stand-in for an AWS Nitro enclave: the same attestation document, signed under a local root instead of
 * Amazon's. It proves nothing about hardware, and says so in every name it carries.
 */
export function nitroSimAttester(
  root: SimulatedRoot,
  { image = SIMULATED_IMAGE, debug = false }: { image?: string; debug?: boolean } = {},
): Attester {
  const registers = pcrsOf(image, debug)
  const moduleId = `i-simulated0000000-enc${bytesToHex(crypto.getRandomValues(new Uint8Array(8))).slice(2)}`
  return {
    kind: 'nitro-sim',
    simulated: true,
    roots: [{ rootHash: root.rootHash, hardwareType: HARDWARE_NITRO_SIM }],
    tlsKeyHash: NO_KEY_HASH,
    attest: (binding) => document(hexToBytes(binding), null),
    // TLS ends outside, so the place of its certificate's hash stays empty.
    attestWithNonce: (appKeyHash, nonce) =>
      document(nitridingUserData(NO_KEY_HASH, appKeyHash), hexToBytes(nonce)),
  }

  async function document(userData: Uint8Array, nonce: Uint8Array | null): Promise<Uint8Array> {
    const chain = await issueChain(root)
    const pcrs = new Map<number, Uint8Array>()
    for (let index = 0; index < PCR_COUNT; index++) {
      pcrs.set(index, registers[index] ?? new Uint8Array(PCR_BYTES))
    }
    const payload = encode(
      new Map<string, unknown>([
        ['module_id', moduleId],
        ['digest', 'SHA384'],
        ['timestamp', Date.now()],
        ['pcrs', pcrs],
        ['certificate', chain.leaf],
        ['cabundle', chain.cabundle],
        ['public_key', null],
        ['user_data', userData],
        ['nonce', nonce],
      ]),
    )
    return coseSign1(payload, chain.leafKey)
  }
}

/** What the daemon writes into every document: docs/evidence.md. */
function nitridingUserData(tlsKeyHash: Hex, appKeyHash: Hex): Uint8Array {
  const text = (part: string) => new TextEncoder().encode(part)
  return concatBytes([text('sha256:'), hexToBytes(tlsKeyHash), text(';sha256:'), hexToBytes(appKeyHash)])
}
