import { parseAbi } from 'viem'

/** The few contract functions a node calls, and no more: what it may touch is readable at a glance. */
export const NODE_ABI = parseAbi([
  'function tillOf(address gateway) view returns (address)',
  'function payment(bytes32 requestId) view returns (address payer, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state)',
  'function balanceOf(address account) view returns (uint256)',
  'function consumedAuthorization(address authorizer, bytes32 nonce) view returns (bytes32)',
  'function currentPriceVersion(bytes32 modelId) view returns (uint64)',
  'function priceRow(bytes32 modelId, uint64 version) view returns (uint128 perCall, uint128 inputPrice, uint128 outputPrice, uint64 validFrom)',
  'function key(address key) view returns (address node, bytes32 hardwareType, bytes32 rootHash, bytes32 measurement, uint8 engineClasses, bytes32 evidenceHash, uint64 validFrom, uint64 revokedAt, bool bonded)',
  'function proposeKey(address key, bytes32 hardwareType, bytes32 rootHash, bytes32 measurement, uint8 engineClasses, bytes32 evidenceHash, string evidenceURI)',
  'function node(address operator) view returns (uint256 bonded, uint256 unbonding, uint64 unbondAt, string url, bool registered)',
  'function setUrl(string url)',
])
