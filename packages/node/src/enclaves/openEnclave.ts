import {
  AssayError,
  createOhttpKey,
  type Evidence,
  enclaveBinding,
  gpuNonce,
  ohttpKeyHash,
  signDigest,
  tag,
} from '@assay/protocol'
import { inspectEvidence, inspectGpus } from '@assay/verify'
import { type Address, bytesToHex, type Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import type { Attester } from './attester.ts'
import type { Enclave } from './enclave.ts'
import { createTeeKey } from './teeKey.ts'

export type OpenEnclaveParameters = {
  attester: Attester
  /** Bit i = engine class i: what this node claims for its receipts; the approved measurement says what it may. */
  engineClasses: number
  /** Whether an RSA key of OpenGradient's wire format is to live here too. */
  withTeeKey?: boolean | undefined
  /** Unix seconds. */
  now?: bigint | undefined
}

/**
 * Boots an enclave on whatever hardware: makes the signing key and the one that clients encrypt to, and learns from a first piece of evidence, judged as a
 * validator would judge it, which root and measurement the key is to be registered under.
 * @throws AssayError `config` where this machine's evidence would be refused, with the check that fails
 */
export async function openEnclave(parameters: OpenEnclaveParameters): Promise<Enclave> {
  const { attester, engineClasses, now = BigInt(Math.floor(Date.now() / 1000)) } = parameters
  const { kind, simulated, tlsKeyHash } = attester
  const challenge = bytesToHex(crypto.getRandomValues(new Uint8Array(32)))
  const document = await attester.attest(challenge)
  const found = inspectEvidence({ kind, document }, { roots: attester.roots, now, userData: challenge })
  if (found?.attestation === undefined) {
    const failed = found?.steps.find(({ outcome }) => outcome === 'failed')
    throw unacceptable(kind, failed ?? { name: 'document', reason: 'it cannot be read' })
  }
  await checkGpus(attester, challenge, now)
  const { rootHash, measurement } = found.attestation
  const privateKey = generatePrivateKey()
  const key = privateKeyToAccount(privateKey).address.toLowerCase() as Address
  const ohttp = await createOhttpKey()
  const hpkeKeyHash = ohttpKeyHash(ohttp.config)
  const tee = parameters.withTeeKey === true ? await createTeeKey() : undefined
  const { attestWithNonce } = attester
  return {
    hardware: kind,
    simulated,
    hardwareType: tag(kind),
    rootHash,
    measurement,
    engineClasses,
    key,
    tlsKeyHash,
    hpkeKeyHash,
    ohttp,
    tee,
    ...(tee === undefined || attestWithNonce === undefined
      ? {}
      : { attestTee: (nonce) => attestWithNonce(tee.attestedHash, nonce) }),
    sign: (digest) => signDigest(digest, privateKey),
    async evidence(deployment, node, anchor): Promise<Evidence> {
      const bound = { tlsKeyHash, hpkeKeyHash, anchorBlock: anchor.number, anchorHash: anchor.hash }
      const userData = enclaveBinding(deployment, { node, key, ...bound })
      const document = await attester.attest(userData)
      const gpus = await attester.gpus?.ask(gpuNonce(userData))
      return { kind, document, ...bound, ...(gpus === undefined ? {} : { gpus }) }
    },
  }
}

/** A GPU that validators would refuse is refused here first. @throws AssayError `config` */
async function checkGpus({ gpus: source }: Attester, challenge: Hex, now: bigint): Promise<void> {
  if (source === undefined) return
  const gpus = await source.ask(gpuNonce(challenge))
  const inspections = inspectGpus({ gpus }, { roots: source.roots, now, userData: challenge })
  for (const [at, { steps }] of inspections.entries()) {
    const failed = steps.find(({ outcome }) => outcome === 'failed')
    if (failed !== undefined) throw unacceptable(`GPU ${at}`, failed)
  }
}

function unacceptable(hardware: string, { name, reason }: { name: string; reason: string }): AssayError {
  return new AssayError('This machine is not one whose attestation validators accept.', {
    code: 'config',
    facts: { hardware, check: name, reason },
    next: 'See the whole checklist with: assay node attest --print',
  })
}
