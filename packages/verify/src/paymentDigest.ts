import { OPG_DOMAIN, PERMIT2_ADDRESS, structHasher, typedDigest } from '@assay/protocol'
import { type Address, domainSeparator, type Hex } from 'viem'

/* EIP-712 digests of the two payments; a gateway makes one at every request, before anything else. */

/** EIP-3009. */
const transferHash = structHasher(
  'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
  ['address', 'address', 'uint256', 'uint256', 'uint256', 'bytes32'],
)
/** Permit2 SignatureTransfer with the witness of the x402 upto proxy. */
const TOKEN_PERMISSIONS = 'TokenPermissions(address token,uint256 amount)'
const WITNESS = 'Witness(address to,address facilitator,uint256 validAfter)'
const permissionsHash = structHasher(TOKEN_PERMISSIONS, ['address', 'uint256'])
const witnessHash = structHasher(WITNESS, ['address', 'address', 'uint256'])
const permitHash = structHasher(
  `PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)${TOKEN_PERMISSIONS}${WITNESS}`,
  ['bytes32', 'address', 'uint256', 'uint256', 'bytes32'],
)

/** A separator that is computed once for as long as it is asked for the same domain, which is nearly always. */
function separatorKeeper(make: (chainId: number, contract: Address) => Hex) {
  let last: { chainId: number; contract: Address; separator: Hex } | undefined
  return (chainId: number, contract: Address): Hex => {
    if (last?.chainId !== chainId || last.contract !== contract) {
      last = { chainId, contract, separator: make(chainId, contract) }
    }
    return last.separator
  }
}
const tokenSeparator = separatorKeeper((chainId, verifyingContract) =>
  domainSeparator({ domain: { ...OPG_DOMAIN, chainId, verifyingContract } }),
)
const permit2Separator = separatorKeeper((chainId, verifyingContract) =>
  domainSeparator({ domain: { name: 'Permit2', chainId, verifyingContract } }),
)

export type Transfer = {
  from: Address
  to: Address
  value: bigint
  validAfter: bigint
  validBefore: bigint
  nonce: Hex
}

/** What a payer signs for an `exact` payment. */
export function transferDigest(chainId: number, token: Address, transfer: Transfer): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = transfer
  return typedDigest(
    tokenSeparator(chainId, token),
    transferHash([from, to, value, validAfter, validBefore, nonce]),
  )
}

export type WitnessedPermit = {
  permitted: { token: Address; amount: bigint }
  spender: Address
  nonce: bigint
  deadline: bigint
  witness: { to: Address; facilitator: Address; validAfter: bigint }
}

/** What a payer signs for an `upto` payment. */
export function permitDigest(chainId: number, permit: WitnessedPermit): Hex {
  const { permitted, spender, nonce, deadline, witness } = permit
  return typedDigest(
    permit2Separator(chainId, PERMIT2_ADDRESS),
    permitHash([
      permissionsHash([permitted.token, permitted.amount]),
      spender,
      nonce,
      deadline,
      witnessHash([witness.to, witness.facilitator, witness.validAfter]),
    ]),
  )
}
