import { hexToBytes } from 'viem'
import { asHex, asHexText, asObject, asText, CollateralError } from './json.ts'
import { MAX_QE_IDENTITY_CHARACTERS } from './qeIdentity.ts'
import { MAX_TCB_INFO_CHARACTERS } from './tcbInfo.ts'

/** What Intel publishes of a platform at some time; a quote is judged by it. All of it is hostile until verified. */
export type DcapCollateral = {
  /** PEM, leaf first, of the PCK certificate; read only where the quote does not carry it. */
  pckChain?: string | undefined
  /** PEM, leaf first: the CA that issued the PCK certificate and its revocation list, and the root. */
  pckCrlIssuerChain: string
  /** DER. */
  rootCaCrl: Uint8Array
  pckCrl: Uint8Array
  /** PEM, leaf first: the TCB signing certificate and the root. */
  tcbInfoIssuerChain: string
  /** The JSON text that was signed, byte for byte. */
  tcbInfo: string
  /** r ‖ s. */
  tcbInfoSignature: Uint8Array
  qeIdentityIssuerChain: string
  qeIdentity: string
  qeIdentitySignature: Uint8Array
}

const MAX_CHAIN_CHARACTERS = 32_768
const MAX_CRL_BYTES = 524_288

/** A revocation list as hex, as Intel's caching service gives it. */
function crl(value: unknown, what: string): Uint8Array {
  return hexToBytes(asHexText(value, MAX_CRL_BYTES, what))
}

/**
 * Reads collateral in the JSON form in which dstack and dcap-qvl keep it: snake_case names, revocation lists and
 * signatures in hex, JSON documents as texts. Members that are not ours are ignored. @throws CollateralError
 */
export function readDcapCollateral(value: unknown): DcapCollateral {
  const members = asObject(value, 'collateral')
  const text = (name: string, max: number) => asText(members[name], max, name)
  const signature = (name: string) => hexToBytes(asHex(members[name], 64, name))
  const { pck_certificate_chain: pckChain } = members
  return {
    ...(pckChain === undefined || pckChain === null
      ? {}
      : { pckChain: text('pck_certificate_chain', MAX_CHAIN_CHARACTERS) }),
    pckCrlIssuerChain: text('pck_crl_issuer_chain', MAX_CHAIN_CHARACTERS),
    rootCaCrl: crl(members.root_ca_crl, 'root_ca_crl'),
    pckCrl: crl(members.pck_crl, 'pck_crl'),
    tcbInfoIssuerChain: text('tcb_info_issuer_chain', MAX_CHAIN_CHARACTERS),
    tcbInfo: text('tcb_info', MAX_TCB_INFO_CHARACTERS),
    tcbInfoSignature: signature('tcb_info_signature'),
    qeIdentityIssuerChain: text('qe_identity_issuer_chain', MAX_CHAIN_CHARACTERS),
    qeIdentity: text('qe_identity', MAX_QE_IDENTITY_CHARACTERS),
    qeIdentitySignature: signature('qe_identity_signature'),
  }
}

/** @throws CollateralError where a text is longer than any real one; nothing reads it before this */
export function boundCollateral(collateral: DcapCollateral): void {
  const { tcbInfo, qeIdentity } = collateral
  if (tcbInfo.length > MAX_TCB_INFO_CHARACTERS) throw new CollateralError('the TCB info is too large')
  if (qeIdentity.length > MAX_QE_IDENTITY_CHARACTERS)
    throw new CollateralError('the QE identity is too large')
}
