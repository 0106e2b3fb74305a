import { AssayError, HARDWARE_NITRO } from '@assay/protocol'
import { AWS_NITRO_ROOT_HASH, readNitridingUserData, type TrustedRoot } from '@assay/verify'
import { bytesToHex, type Hex, hexToBytes } from 'viem'
import type { Attester } from './attester.ts'
import { exchange } from './http.ts'

export type NitridingParameters = {
  /** The daemon's internal server, where the application inside the enclave talks to it. */
  internalUrl: string
  /** Its public server, as reached from inside: it alone gives attestation documents. */
  publicUrl: string
  /** Default Amazon's root. */
  roots?: readonly TrustedRoot[] | undefined
}

const MAX_DOCUMENT_BYTES = 32_768
const NONCE_BYTES = 20

/**
 * An AWS Nitro enclave under nitriding, the daemon that is its network. It writes two hashes into the user data: that of
 * the certificate of the TLS it ends, and 32 bytes that the application registers, which are our binding.
 * @throws AssayError `unreachable`
 */
export async function nitridingAttester(parameters: NitridingParameters): Promise<Attester> {
  const {
    internalUrl,
    publicUrl,
    roots = [{ rootHash: AWS_NITRO_ROOT_HASH, hardwareType: HARDWARE_NITRO }],
  } = parameters
  // The daemon opens its public server only when the application says that it is ready. Told before, it drops the call.
  await exchange({ url: `${internalUrl}/enclave/ready`, maxBytes: 1024 }).catch(() => undefined)

  const anyNonce = (): Hex => bytesToHex(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)))
  const document = async (nonce = anyNonce()): Promise<Uint8Array> => {
    const answer = await exchange({
      url: `${publicUrl}/enclave/attestation?nonce=${nonce.slice(2)}`,
      // The certificate is the daemon's own; the document, signed by the hardware, is what names it.
      anyCertificate: true,
      maxBytes: MAX_DOCUMENT_BYTES,
    })
    if (answer.status !== 200) throw refused('attestation', answer.status)
    return new Uint8Array(Buffer.from(new TextDecoder().decode(answer.body).trim(), 'base64'))
  }
  const userDataOf = (bytes: Uint8Array): { tlsKeyHash: Hex; appKeyHash: Hex } => {
    const found = readNitridingUserData(bytes)
    if (found === undefined) throw refused('a document with the user data of nitriding', 200)
    return found
  }

  // The daemon has one place for the application's hash, so one document is made after another.
  let turn: Promise<unknown> = Promise.resolve()
  const attest = async (binding: Hex, nonce?: Hex): Promise<Uint8Array> => {
    const set = await exchange({
      url: `${internalUrl}/enclave/hash`,
      method: 'POST',
      body: Buffer.from(hexToBytes(binding)).toString('base64'),
      maxBytes: 1024,
    })
    if (set.status !== 200) throw refused('hash', set.status)
    const made = await document(nonce)
    if (userDataOf(made).appKeyHash !== bytesToHex(hexToBytes(binding))) {
      throw refused('a document over our binding', 200)
    }
    return made
  }
  return {
    kind: 'nitro',
    simulated: false,
    roots,
    tlsKeyHash: userDataOf(await document()).tlsKeyHash,
    attest: (binding) => inTurn(() => attest(binding)),
    attestWithNonce: (appKeyHash, nonce) => inTurn(() => attest(appKeyHash, nonce)),
  }

  function inTurn(make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const mine = turn.then(make)
    turn = mine.catch(() => undefined)
    return mine
  }
}

function refused(what: string, status: number): AssayError {
  return new AssayError('The nitriding daemon does not do what was asked.', {
    code: 'unreachable',
    facts: { asked: what, status },
    next: 'Check ASSAY_NITRIDING_URL and ASSAY_NITRIDING_PUBLIC_URL: docs/run-in-tee.md',
  })
}
