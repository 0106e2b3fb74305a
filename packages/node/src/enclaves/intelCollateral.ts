import { AssayError } from '@assay/protocol'
import { type DcapCollateral, quotePlatform } from '@assay/verify'
import { type DeviceAnswer, exchange } from './http.ts'

/** Intel's Provisioning Certification Service; a PCCS of one's own has the same paths. */
const INTEL_PCS_URL = 'https://api.trustedservices.intel.com'
const INTEL_ROOT_CRL_URL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'

const MAX_ANSWER_BYTES = 524_288

export type CollateralSource = {
  /** Default Intel's own service. */
  pcsUrl?: string | undefined
  /** DER of the root's revocation list. Default Intel's. */
  rootCrlUrl?: string | undefined
}

/**
 * Fetches what a quote is judged by (Intel PCS API, version 4): revocation lists, TCB info, identity of the quoting
 * enclave. Nothing of it is believed here; the verifier judges quote and collateral together.
 * @throws AssayError `unreachable` | `malformed`
 */
export async function fetchCollateral(
  quote: Uint8Array,
  { pcsUrl = INTEL_PCS_URL, rootCrlUrl = INTEL_ROOT_CRL_URL }: CollateralSource = {},
): Promise<DcapCollateral> {
  const { teeType, fmspc, ca } = quotePlatform(quote)
  const get = async (url: string): Promise<DeviceAnswer> => {
    const answer = await exchange({ url, maxBytes: MAX_ANSWER_BYTES })
    if (answer.status === 200) return answer
    throw new AssayError('Intel has no collateral for this platform, or does not give it.', {
      code: 'unreachable',
      facts: { url, status: answer.status },
      next: 'Set ASSAY_PCS_URL to a caching service (PCCS) that this machine reaches.',
    })
  }
  const [crl, tcb, qe, rootCaCrl] = await Promise.all([
    get(`${pcsUrl}/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`),
    get(`${pcsUrl}/${teeType}/certification/v4/tcb?fmspc=${fmspc.slice(2)}`),
    get(`${pcsUrl}/${teeType}/certification/v4/qe/identity`),
    get(rootCrlUrl),
  ])
  const [tcbInfo, tcbInfoSignature] = signedPart(tcb, 'tcbInfo')
  const [qeIdentity, qeIdentitySignature] = signedPart(qe, 'enclaveIdentity')
  return {
    pckCrl: crl.body,
    pckCrlIssuerChain: chainOf(crl, 'sgx-pck-crl-issuer-chain'),
    rootCaCrl: rootCaCrl.body,
    tcbInfo,
    tcbInfoSignature,
    // Intel's service and older caches differ in this name.
    tcbInfoIssuerChain: chainOf(tcb, 'tcb-info-issuer-chain', 'sgx-tcb-info-issuer-chain'),
    qeIdentity,
    qeIdentitySignature,
    qeIdentityIssuerChain: chainOf(qe, 'sgx-enclave-identity-issuer-chain'),
  }
}

/** Intel sends a chain as PEM, URL-encoded, in a header. */
function chainOf({ headers }: DeviceAnswer, ...names: string[]): string {
  const found = names.map((name) => headers[name]).find((value) => value !== undefined)
  if (found === undefined) throw odd(`the header ${names[0]} is missing`)
  return decodeURIComponent(found)
}

/** The signed member's own bytes, and the signature: parsing and writing it again could change what was signed. */
function signedPart({ body }: DeviceAnswer, member: string): [string, Uint8Array] {
  const text = new TextDecoder().decode(body)
  const match = new RegExp(
    `^\\s*\\{\\s*"${member}"\\s*:\\s*(\\{.*\\})\\s*,\\s*"signature"\\s*:\\s*"([0-9a-fA-F]{128})"\\s*\\}\\s*$`,
    's',
  ).exec(text)
  if (match === null) throw odd(`${member} is not followed by its signature`)
  return [match[1] as string, new Uint8Array(Buffer.from(match[2] as string, 'hex'))]
}

function odd(reason: string): AssayError {
  return new AssayError('The collateral has another form than Intel describes.', {
    code: 'malformed',
    facts: { reason },
  })
}
