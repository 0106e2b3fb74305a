import type { TeeStep } from '../checklist.ts'

/** The checks, in the order of their dependence; a name never changes its meaning. */
export const DCAP_STEPS = [
  // Is it what it says?
  'quoteShape', // exact length, version, TEE type, Intel's QE, a PCK chain inside
  'pckChain', // approved root → PCK CA → PCK certificate
  'tcbInfoChain', // approved root → TCB signing certificate
  'qeIdentityChain', // the same, for the QE identity
  'rootCrl', // the root's revocation list: signature, issuer, window
  'pckCrl', // that of the CA that issued this PCK certificate
  'notRevoked', // none of the certificates used is on its issuer's list
  'tcbInfo', // signature, form, window
  'qeIdentity', // signature, form, window
  'qeReport', // the PCK key signed the quoting enclave's report
  'attestationKey', // that report commits to the attestation key
  'quotingEnclave', // it is Intel's quoting enclave, not in debug mode
  'quoteSignature', // the attestation key signed this quote
  'platform', // the collateral is about this platform and kind of TEE
  'tdxModule', // the TDX module is one of Intel's
  'tcbStatus', // the platform's status can be told and is not Revoked
  // Is it wanted?
  'statusAccepted', // status at least the minimum
  'advisoriesAccepted', // no denied advisory stands open
  'collateralRecent', // evaluation number at least the minimum: no rollback to older knowledge
  'tcbLevel', // the level reached is of a date wanted, and on no deny list
  'notDebug', // memory is closed to the host
  'tdAttributes', // SEPT_VE_DISABLE, not migratable, nothing unknown
  'seamSigner', // the TDX module's signer is approved
  'platformAllowed', // this processor and its family are on no deny list
  'measurement', // runs the code that was approved
  'measurements', // the registers named are those expected
  'eventLog', // the log given replays to RTMR0 to RTMR3
  'events', // the log says what was expected
  'reportData', // speaks for the key and operator expected
] as const
export type DcapStepName = (typeof DCAP_STEPS)[number]

/** Why a check failed. A code never changes its meaning. */
export type DcapCode =
  | 'root_not_approved' // not for this kind of TEE, or roots of different keys
  | 'chain_invalid' // a link, a flag, or a certificate in another's role
  | 'certificate_not_valid_then' // not yet or no longer
  | 'crl_issuer_differs' // a revocation list of another CA
  | 'crl_forged' // the issuer did not sign it
  | 'crl_not_valid_then' // from the future, or superseded
  | 'certificate_revoked'
  | 'tcb_info_forged'
  | 'tcb_info_not_valid_then'
  | 'qe_identity_forged'
  | 'qe_identity_not_valid_then'
  | 'qe_report_forged'
  | 'attestation_key_unbound' // the quoting enclave vouches for another key
  | 'qe_unknown' // not the quoting enclave that Intel describes
  | 'qe_debug'
  | 'quote_forged'
  | 'collateral_of_other_tee' // SGX collateral for a TDX quote, or the reverse
  | 'collateral_of_other_platform' // another FMSPC or PCE
  | 'tdx_module_unknown'
  | 'tcb_unrecognised' // below every level that Intel lists
  | 'tcb_revoked'
  | 'status_below_minimum'
  | 'advisory_denied'
  | 'evaluation_number_below_minimum'
  | 'tcb_level_too_old'
  | 'tcb_level_denied'
  | 'debug'
  | 'td_attributes_refused'
  | 'seam_signer_not_approved'
  | 'platform_denied'
  | 'measurement_differs'
  | 'event_log_differs'
  | 'event_differs'
  | 'report_data_differs'

export type DcapStep = TeeStep<DcapStepName, DcapCode>
