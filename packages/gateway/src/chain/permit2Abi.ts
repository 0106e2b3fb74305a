import { parseAbi } from 'viem'

/** What is read of Permit2, and why it or the x402 upto proxy may refuse; neither is a contract of ours. */
export const permit2Abi = parseAbi([
  'function nonceBitmap(address owner, uint256 word) view returns (uint256)',
  'error InvalidNonce()',
  'error SignatureExpired(uint256 signatureDeadline)',
  'error InvalidAmount(uint256 maxAmount)',
  'error InvalidSigner()',
  'error UnauthorizedFacilitator()',
  'error AmountExceedsPermitted()',
  'error InvalidDestination()',
  'error PaymentTooEarly()',
])
