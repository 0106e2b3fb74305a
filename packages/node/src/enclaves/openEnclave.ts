import {
  AssayError,
  createOhttpKey,
  type Evidence,
  enclaveBinding,
  ohttpKeyHash,
  signDigest,
  tag,
} from '@assay/protocol'
import { inspectEvidence } from '@assay/verify'
import { type Address, bytesToHex } from 'viem'
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
    throw new AssayError('This machine is not one whose attestation validators accept.', {
      code: 'config',
      facts: {
        hardware: kind,
        check: failed?.name ?? 'document',
        reason: failed?.reason ?? 'it cannot be read',
      },
      next: 'See the whole checklist with: assay node attest --print',
    })
  }
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
      const document = await attester.attest(enclaveBinding(deployment, { node, key, ...bound }))
      return { kind, document, ...bound }
    },
  }
}
