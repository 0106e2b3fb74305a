import { HARDWARE_SGX, HARDWARE_TDX } from '@assay/protocol'
import { bytesToHex, type Hex } from 'viem'
import type { Problem } from '../checklist.ts'
import { validityProblem } from '../x509/chain.ts'
import { type IntelChain, intelChainProblem, parseChain, parsePemChain, type Role, rootOf } from './chains.ts'
import { boundCollateral } from './collateral.ts'
import type { DcapCode } from './steps.ts'
import { problemOf, type Verification } from './verification.ts'

export const hardwareTypeOf = (teeType: 'sgx' | 'tdx'): Hex =>
  teeType === 'tdx' ? HARDWARE_TDX : HARDWARE_SGX

/** First thing by which this chain may not serve in this role, from an approved root down, or undefined. */
export function chainProblem(
  { roots, now, found }: Verification,
  chain: IntelChain,
  role: Role,
): Problem<DcapCode> | undefined {
  const { teeType } = found.quote
  const hardwareType = hardwareTypeOf(teeType)
  const approved = roots.some(
    (root) => root.rootHash.toLowerCase() === chain.rootHash && root.hardwareType === hardwareType,
  )
  if (!approved) {
    return { code: 'root_not_approved', reason: `root ${chain.rootHash} is not approved for ${teeType}` }
  }
  // Two encodings of one root may both be approved, since Intel reissued it; two keys may not speak for one platform.
  if (bytesToHex(rootOf(chain).publicKey) !== bytesToHex(rootOf(found.pckChain).publicKey)) {
    return { code: 'root_not_approved', reason: 'the root is not that of the PCK certificate' }
  }
  return (
    problemOf('certificate_not_valid_then', validityProblem(chain.certificates, now)) ??
    problemOf('chain_invalid', intelChainProblem(chain, role))
  )
}

/** Three chains to an approved root, each leaf in its own role. */
export function checkChains(verification: Verification): void {
  const { list, found, collateral } = verification
  list.check('pckChain', () => {
    const own = found.quote.pckChain
    found.pckChain = own === undefined ? parsePemChain(collateral.pckChain ?? '') : parseChain(own)
    return chainProblem(verification, found.pckChain, 'pck')
  })
  list.check('tcbInfoChain', () => {
    boundCollateral(collateral)
    found.tcbInfoChain = parsePemChain(collateral.tcbInfoIssuerChain)
    return chainProblem(verification, found.tcbInfoChain, 'tcbSigning')
  })
  list.check('qeIdentityChain', () => {
    // Intel signs both documents by one key, so mostly this chain was verified just now.
    if (collateral.qeIdentityIssuerChain === collateral.tcbInfoIssuerChain) {
      found.qeIdentityChain = found.tcbInfoChain
      return undefined
    }
    found.qeIdentityChain = parsePemChain(collateral.qeIdentityIssuerChain)
    return chainProblem(verification, found.qeIdentityChain, 'tcbSigning')
  })
}
