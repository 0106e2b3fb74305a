import { parseAbi } from 'viem'

/**
 * The calls that the gateway makes, and the events and errors it reads, in the contracts' own words; everything else of
 * the contracts is none of its business. The generated ABIs in packages/protocol hold the rest.
 */
const TYPES = [
  'struct TokenPermissions { address token; uint256 amount; }',
  'struct PermitTransferFrom { TokenPermissions permitted; uint256 nonce; uint256 deadline; }',
  'struct UptoWitness { address to; address facilitator; uint256 validAfter; }',
  'struct ExactPayment { address payer; address gateway; uint256 value; uint256 validAfter; uint256 validBefore; bytes32 nonce; bytes signature; }',
  'struct UptoPayment { address payer; uint256 amount; PermitTransferFrom permit; UptoWitness witness; bytes signature; }',
  'struct Sibling { bytes32 hash; uint128 sum; uint64 count; bool left; }',
  'struct Receipt { uint8 version; bytes32 requestId; address payer; address node; address key; uint64 seq; address committer; uint64 includeBy; bytes32 modelId; uint64 priceVersion; uint8 engineClass; uint8 mode; uint8 status; bytes32 requestHash; bytes32 responseHash; bytes32 evidenceHash; uint64 inputUnits; uint64 outputUnits; uint128 price; uint128 valueAtRisk; uint64 anchorBlock; bytes32 anchorHash; uint64 issuedAt; }',
  'struct SettleItem { bytes32 batchId; Receipt receipt; bytes32 signatureHash; Sibling[] leafSiblings; Sibling[] rowSiblings; }',
] as const

export const escrowAbi = parseAbi([
  ...TYPES,
  'function openTill(string url) returns (address)',
  'function tillOf(address gateway) view returns (address)',
  'function payment(bytes32 requestId) view returns (address payer, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state)',
  'function collectExact(ExactPayment[] items)',
  'function collectUpto(UptoPayment[] items)',
  'function settle(SettleItem[] items)',
  'event PaymentRejected(bytes32 indexed requestId, bytes reason)',
  'event SettlementSkipped(bytes32 indexed requestId, bytes32 indexed batchId, bytes4 reason)',
])

export const settlementAbi = parseAbi([
  'function commit(uint64 height, bytes32 root, uint128 sum, uint64 count, bytes32 dataHash) returns (bytes32)',
  'function finalise(bytes32 batchId)',
  'function expire(bytes32 batchId)',
  'function lastHeight(address committer) view returns (uint64)',
  'function batch(bytes32 batchId) view returns (address committer, uint64 height, bytes32 root, uint128 sum, uint64 count, bytes32 dataHash, uint64 committedAt, uint64 committedBlock, uint64 quorumAt, uint64 finalisedAt, uint8 state)',
  'event BatchCommitted(bytes32 indexed batchId, address indexed committer, uint64 height, bytes32 root, uint128 sum, uint64 count, bytes32 dataHash)',
])

export const tokenAbi = parseAbi([
  'function balanceOf(address owner) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
])

export const permit2Abi = parseAbi([
  'function nonceBitmap(address owner, uint256 word) view returns (uint256)',
])

export const modelsAbi = parseAbi([
  'function currentPriceVersion(bytes32 modelId) view returns (uint64)',
  'function priceRow(bytes32 modelId, uint64 version) view returns (uint128 perCall, uint128 inputPrice, uint128 outputPrice, uint64 validFrom)',
])

export const paramsAbi = parseAbi(['function get(bytes32 key) view returns (uint256)'])

/** Why escrow, the token, Permit2 or the proxy refused a payment, or escrow a receipt. */
export const refusalAbi = parseAbi([
  'error AuthorisationNotForTill()',
  'error AmountTooLarge()',
  'error AlreadyHandled()',
  'error ForeignPayment()',
  'error CommitterTooEarly()',
  'error DisagreesWithRequestAuth()',
  'error AuthorizationAlreadyUsed(address authorizer, bytes32 nonce)',
  'error AuthorizationExpired(uint256 validBefore)',
  'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
  'error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)',
  'error InvalidNonce()',
  'error SignatureExpired(uint256 signatureDeadline)',
  'error InvalidSigner()',
  'error UnauthorizedFacilitator()',
  'error AmountExceedsPermitted()',
])
